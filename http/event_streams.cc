#include "http/event_streams.h"

#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "http/problem.h"

namespace belfry {
namespace {

constexpr uint64_t kNoNumber = std::numeric_limits<uint64_t>::max();
constexpr char kHeaders[] = "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n";

bool Read(std::string_view text, uint64_t* number) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), *number);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

std::string_view NameOf(StopwatchEvent::Kind kind) {
  switch (kind) {
    case StopwatchEvent::Kind::kCreated:
      return "created";
    case StopwatchEvent::Kind::kReset:
      return "reset";
    case StopwatchEvent::Kind::kDeleted:
      return "deleted";
  }
  CHECK(false);
}

}  // namespace

EventStreams::EventStreams(Stopwatches& stopwatches, ReplyTable& replies, const Clock& clock,
                           const Authentication& authentication, UserNameFn user_name,
                           EventStreamsOptions options)
    : stopwatches_(stopwatches),
      replies_(replies),
      clock_(clock),
      authentication_(authentication),
      user_name_(std::move(user_name)),
      options_(options) {}

// It subscribes before it asks what there is, so that no change is missed in between.
void EventStreams::Open(const ReplyTo& to, const Ticket& ticket, StopwatchFeed::Wish wish,
                        std::optional<std::string_view> last_event_id) {
  if (!HasRoomFor(wish.tenant, wish.names.size())) {
    return Respond(to, Problem(ProblemKind::kOverloaded, "too many event streams are open"));
  }
  const uint64_t id = ++last_stream_;
  Stream stream;
  stream.tenant = wish.tenant;
  stream.names = wish.names.size();
  stream.to = to;
  stream.ticket = ticket;
  stream.query = {wish.tenant, wish.names, wish.own, std::nullopt, options_.page_rows};
  StopwatchFeed& feed = stopwatches_.feed();
  stream.snapshot_number = feed.last();
  std::optional<uint64_t> after;
  if (last_event_id) after = NumberIn(*last_event_id);
  const bool goes_on = feed.Subscribe(id, std::move(wish), after);
  stream.resync = last_event_id && !goes_on;
  stream.snapshot = stream.paging = !last_event_id || !goes_on;
  if (!stream.snapshot) stream.query.rows_max = 0;
  names_ += stream.names;
  Held& held = held_by_[stream.tenant];
  ++held.streams;
  held.names += stream.names;
  Ask(id, streams_.emplace(id, std::move(stream)).first->second);
}

bool EventStreams::HasRoomFor(TenantId tenant, size_t names) const {
  if (streams_.size() >= options_.streams_max || names_ + names > options_.names_max) return false;
  const auto held = held_by_.find(tenant);
  if (!authentication_.needs_token() || held == held_by_.end()) return true;
  return held->second.streams < options_.streams_max / 2 &&
         held->second.names + names <= options_.names_max / 2;
}

void EventStreams::Ask(uint64_t id, Stream& stream) {
  stream.asked = true;
  stopwatches_.List(replies_.AddFor(this, id), stream.query);
}

void EventStreams::Take(Reply&& reply, uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;  // the client is gone
  Stream& stream = found->second;
  stream.asked = false;
  if (auto* list = std::get_if<StopwatchListReply>(&reply.what)) {
    if (stream.snapshot) {
      stream.page = std::move(list->page);
    } else {
      stream.query = {};
    }
    if (stream.begun) return Send(id);
    return Begin(id, stream);
  }
  const ReplyTo to = stream.to;
  const bool begun = stream.begun;
  Forget(id);
  if (begun) return to.responder->CutOff(to);
  const auto* refusal = std::get_if<Refusal>(&reply.what);
  Respond(to, refusal ? ResponseTo(*refusal)
                      : Problem(ProblemKind::kNotOwned,
                                "you have no stopwatch of a name that was asked for"));
}

void EventStreams::Begin(uint64_t id, Stream& stream) {
  if (ended_) {
    Respond(stream.to, ResponseTo(Refusal::kStopping));
    return Forget(id);
  }
  Response head;
  head.content_type = ContentType::kEventStream;
  head.headers = kHeaders;
  stream.begun = true;
  const ReplyTo to = stream.to;
  if (!to.responder->Begin(to, std::move(head), {this, id, true})) Forget(id);
}

void EventStreams::HasRoom(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  if (!authentication_.StillGood(stream.ticket)) return End(id);
  stream.roomy = true;
  if (!std::exchange(stream.greeted, true)) {
    std::string text = Comment() + "\n";
    if (stream.resync) text += "event: resync\ndata: {}\n\n";
    Write(stream, text);
    comments_.emplace_back(clock_.Mono() + kFeedCommentMs, id);
  }
  Send(id);
}

// --- what there is, then what changes ------------------------------------------------------------

// A further page is asked for when there is room for it.
void EventStreams::Send(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  const auto& expires = stream.ticket.expires;
  if (stream.begun && expires && clock_.Wall() >= *expires &&
      !authentication_.StillGood(stream.ticket)) {
    return End(id);
  }
  if (stream.roomy && stream.page) SendPage(id, stream);
  if (stream.paging) {
    if (stream.roomy && !stream.asked) Ask(id, stream);
    return;
  }
  while (stream.roomy && SendChange(id, stream)) {
  }
}

// Each page is a line of data, so that the snapshot is one event however long it is. Since it was
// read the caller may have given up a name in it.
void EventStreams::SendPage(uint64_t id, Stream& stream) {
  StopwatchPage page = *std::exchange(stream.page, std::nullopt);
  std::string text = stream.begun_snapshot ? "data: " : "event: snapshot\ndata: [";
  stream.begun_snapshot = true;
  for (const Stopwatch& row : page.rows) {
    if (!stopwatches_.feed().MayTell(id, row)) continue;
    if (std::exchange(stream.any_row, true)) text += ',';
    AppendStopwatch(text, row, user_name_, nullptr);
  }
  stream.paging = page.next.has_value();
  if (stream.paging) {
    stream.query.after = std::move(page.next);
  } else {
    stream.query = {};
  }
  text += stream.paging ? "\n" : "]\n" + IdLine(stream.snapshot_number) + "\n";
  Write(stream, text);
}

bool EventStreams::SendChange(uint64_t id, Stream& stream) {
  const ReplyTo to = stream.to;
  const StopwatchFeed::Taken taken = stopwatches_.feed().Take(id);
  switch (taken.place) {
    case StopwatchFeed::Place::kNothing:
      return false;
    case StopwatchFeed::Place::kEvent:
      // Without an id the client resumes at the last one that had one.
      Write(stream, TextOf(*taken.event, taken.complete));
      return true;
    case StopwatchFeed::Place::kLost:
      Forget(id);
      to.responder->CutOff(to);
      return false;
    case StopwatchFeed::Place::kEnded:
      End(id);
      return false;
  }
  CHECK(false);
}

std::string_view EventStreams::TextOf(const StopwatchEvent& event, bool with_id) {
  const WallMs now = Now();
  if (event.number != text_number_ || now != text_now_) {
    text_number_ = event.number;
    text_now_ = now;
    text_without_id_ = "event: ";
    text_without_id_.append(NameOf(event.kind)).append("\ndata: ");
    AppendStopwatch(text_without_id_, event.stopwatch, user_name_, &now);
    text_without_id_ += '\n';
    text_ = text_without_id_ + IdLine(event.number) + "\n";
    text_without_id_ += '\n';
  }
  return with_id ? text_ : text_without_id_;
}

std::string EventStreams::IdLine(uint64_t number) const {
  return "id: " + std::to_string(stopwatches_.run()) + "-" + std::to_string(number) + "\n";
}

uint64_t EventStreams::NumberIn(std::string_view event_id) const {
  const size_t dash = event_id.find('-');
  uint64_t run = 0;
  uint64_t number = 0;
  const bool parses = dash != std::string_view::npos && Read(event_id.substr(0, dash), &run) &&
                      Read(event_id.substr(dash + 1), &number);
  return parses && run == stopwatches_.run() ? number : kNoNumber;
}

std::string EventStreams::Comment() const { return ": server_now " + FormatRfc3339(Now()) + "\n"; }

void EventStreams::Write(Stream& stream, std::string_view bytes) {
  stream.roomy = stream.to.responder->Write(stream.to, bytes);
}

// --- time and the end ----------------------------------------------------------------------------

void EventStreams::Tick() {
  for (const uint64_t id : stopwatches_.feed().TakeWoken()) woken_.push_back(id);
  for (size_t left = options_.writes_per_turn; left > 0 && !woken_.empty(); --left) {
    const uint64_t id = woken_.front();
    woken_.pop_front();
    Send(id);
  }
  SendComments();
}

bool EventStreams::busy() const {
  return !woken_.empty() || (!comments_.empty() && comments_.front().first <= clock_.Mono());
}

void EventStreams::SendComments() {
  const MonoMs now = clock_.Mono();
  if (comments_.empty() || comments_.front().first > now) return;
  const std::string comment = Comment() + "\n";
  for (size_t left = options_.writes_per_turn; left > 0; --left) {
    if (comments_.empty() || comments_.front().first > now) return;
    const uint64_t id = comments_.front().second;
    comments_.pop_front();
    SendComment(id, comment);
  }
}

// Within the snapshot a comment is a line of its own, behind which the event goes on.
void EventStreams::SendComment(uint64_t id, std::string_view comment) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  if (!authentication_.StillGood(stream.ticket)) return End(id);
  comments_.emplace_back(clock_.Mono() + kFeedCommentMs, id);
  if (stream.paging && stream.begun_snapshot) comment.remove_suffix(1);
  if (stream.roomy) Write(stream, comment);
}

void EventStreams::EndRevoked() {
  std::vector<uint64_t> revoked;
  for (const auto& [id, stream] : streams_) {
    const bool good = authentication_.StillGood(stream.ticket);
    if (stream.begun && !good) revoked.push_back(id);
  }
  for (const uint64_t id : revoked) End(id);
}

void EventStreams::EndAll() {
  ended_ = true;
  std::vector<uint64_t> begun;
  for (const auto& [id, stream] : streams_) {
    if (stream.begun) begun.push_back(id);
  }
  for (const uint64_t id : begun) End(id);
}

void EventStreams::Forget(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const auto held = held_by_.find(found->second.tenant);
  held->second.names -= found->second.names;
  names_ -= found->second.names;
  if (--held->second.streams == 0) held_by_.erase(held);
  streams_.erase(found);
  stopwatches_.feed().Unsubscribe(id);
}

void EventStreams::End(uint64_t id) {
  const ReplyTo to = streams_.at(id).to;
  Forget(id);
  to.responder->End(to);
}

}  // namespace belfry
