#include "scheduler/streams.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {
namespace {

size_t BytesOf(const StreamStart& start) {
  return sizeof start + start.user.size() + start.content.size() + start.on_expire.size();
}

}  // namespace

Streams::Streams(StreamsOptions options, Timers* timers, Ready* ready)
    : options_(std::move(options)), timers_(*timers), ready_(*ready) {}

// --- what clients ask ----------------------------------------------------------------------------

void Streams::PutUser(ReplyToken token, TenantId tenant, std::string user,
                      std::optional<uint32_t> limit) {
  const size_t bytes = sizeof(PutUserOp) + user.size();
  if (Refuses(token, WhyNothingNew(bytes))) return;
  ++made_;
  timers_.QueueLeaseOp({token, PutUserOp{tenant, std::move(user), limit}}, {.bytes = bytes});
}

void Streams::DeleteUser(ReplyToken token, TenantId tenant, std::string user, WallMs now) {
  if (Refuses(token, std::nullopt)) return;
  timers_.QueueLeaseOp({token, DeleteUserOp{tenant, std::move(user), Believed(now)}}, {});
}

void Streams::Start(ReplyToken token, StreamStart start, WallMs now) {
  const size_t bytes = BytesOf(start);
  std::optional<Refusal> why = WhyNothingNew(bytes);
  if (ClockIsWrong()) why = Refusal::kClockWrong;
  if (Refuses(token, why)) return;
  const uint64_t high = options_.random();
  start.stream = UuidV4(high, options_.random());
  start.require_user = options_.require_user;
  start.limit = options_.limit;
  start.deadline = timers_.GiveId();
  start.now = now;
  const TimerId deadline = start.deadline;
  ++made_;
  timers_.QueueLeaseOp({token, StartStreamOp{std::make_unique<StreamStart>(std::move(start))}},
                       {.deadline = deadline, .least_at = now, .bytes = bytes});
}

void Streams::Renew(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream,
                    WallMs now) {
  if (Refuses(token, WhyNoRenewal())) return;
  if (Planted(Bug::kRenewalAnswersEarly)) {
    Answer(std::exchange(token, 0), StreamRenewedReply{now});
  }
  ++renewals_;
  timers_.QueueLeaseOp({token, RenewStreamOp{tenant, std::move(user), stream, now}},
                       {.least_at = now});
}

void Streams::End(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream,
                  WallMs now) {
  if (Refuses(token, std::nullopt)) return;
  timers_.QueueLeaseOp({token, EndStreamOp{tenant, std::move(user), stream, Believed(now)}}, {});
}

void Streams::FindUser(ReplyToken token, UserQuery query) {
  query.now = Believed(query.now);
  Ask(token, std::move(query));
}

void Streams::ListUsers(ReplyToken token, UsersQuery query) {
  query.now = Believed(query.now);
  Ask(token, std::move(query));
}

std::optional<Refusal> Streams::WhyNothingNew(size_t bytes) const {
  if (made_ >= options_.ops_max / 2 || !timers_.HasRoomFor(bytes)) return Refusal::kOverloaded;
  if (no_space_) return Refusal::kNoSpace;
  return std::nullopt;
}

std::optional<Refusal> Streams::WhyNoRenewal() const {
  if (ClockIsWrong()) return Refusal::kClockWrong;
  if (renewals_ >= options_.ops_max) return Refusal::kOverloaded;
  return std::nullopt;
}

bool Streams::ClockIsWrong() const {
  return !timers_.clock_sane() && !Planted(Bug::kStreamsBelieveWrongClock);
}

WallMs Streams::Believed(WallMs now) const {
  return ClockIsWrong() && !Planted(Bug::kEndsBelieveWrongClock) ? timers_.last_seen() : now;
}

bool Streams::Refuses(ReplyToken token, std::optional<Refusal> why) {
  if (failed_) why = Refusal::kStopping;
  if (why) Answer(token, *why);
  return why.has_value();
}

void Streams::Ask(ReplyToken token, decltype(Query::what) what) {
  if (queries_ >= kQueriesQueuedMax) return Answer(token, Refusal::kOverloaded);
  ++queries_;
  ready_.queries.push_back({token, std::move(what), nullptr});
}

// --- what came back ------------------------------------------------------------------------------

void Streams::Complete(Completion& done) {
  if (failed_) return;
  if (done.kind == kOpKind<RenewStreamOp>) --renewals_;
  const bool refused = done.result == OpResult::kFull && done.token != 0;
  const bool makes = done.kind == kOpKind<PutUserOp> || done.kind == kOpKind<StartStreamOp>;
  if (makes && !refused) --made_;
  if (done.result == OpResult::kGone) return Answer(done.token, NotFoundReply{});
  switch (done.kind) {
    case kOpKind<PutUserOp>:
      if (done.result == OpResult::kExists) return Answer(done.token, UserExistsReply{});
      return Answer(done.token,
                    UserMadeReply{done.stream->limit != 0 ? done.stream->limit : options_.limit});
    case kOpKind<DeleteUserOp>:
      return Answer(done.token, UserGoneReply{});
    case kOpKind<StartStreamOp>:
      return CompleteStart(done);
    case kOpKind<RenewStreamOp>:
      return Answer(done.token, StreamRenewedReply{done.stream->expires_at});
    default:
      CHECK(done.kind == kOpKind<EndStreamOp>);
      return Answer(done.token, StreamEndedReply{});
  }
}

void Streams::CompleteStart(Completion& done) {
  StreamResult& result = *done.stream;
  if (done.result == OpResult::kFull) {
    if (done.token == 0) return;
    unlisted_.push_back(
        {done.token, result.limit, {done.tenant, std::move(result.user), result.now}});
    return ReadLists();
  }
  Answer(done.token,
         StreamStartedReply{result.stream, result.active, result.limit, std::move(result.evicted)});
}

void Streams::ReadLists() {
  while (listing_.size() < options_.lists_max && !unlisted_.empty()) {
    Refused& next = unlisted_.front();
    listing_[next.token] = next.limit;
    ready_.queries.push_back({next.token, std::move(next.query), nullptr});
    unlisted_.pop_front();
  }
}

// It was refused at its limit, even if less is playing by now, or the user is gone.
void Streams::AnswerRefused(uint32_t limit, QueryResult result) {
  --made_;
  if (!result.status.ok()) return AnswerFailed(result);
  auto& user = std::get<std::optional<UserView>>(result.what);
  Answer(result.token,
         StreamLimitReply{limit, user ? std::move(user->streams) : std::vector<StreamView>()});
}

void Streams::StoreFailed() {
  failed_ = true;
  for (const Refused& refused : std::exchange(unlisted_, {})) {
    Answer(refused.token, Refusal::kStopping);
  }
}

void Streams::AnswerFailed(const QueryResult& result) {
  const bool stopping = result.status.code() == StatusCode::kUnavailable;
  Answer(result.token, stopping ? Refusal::kStopping : Refusal::kReadFailed);
}

void Streams::QueryDone(QueryResult result) {
  if (const auto refused = listing_.extract(result.token)) {
    AnswerRefused(refused.mapped(), std::move(result));
    if (!Planted(Bug::kRefusedStartForgotten)) ReadLists();
    return;
  }
  --queries_;
  if (!result.status.ok()) return AnswerFailed(result);
  if (auto* page = std::get_if<UserPage>(&result.what)) {
    return Answer(result.token, UsersReply{std::move(*page), options_.limit});
  }
  auto& user = std::get<std::optional<UserView>>(result.what);
  if (!user) return Answer(result.token, NotFoundReply{});
  Answer(result.token, UserReply{std::move(*user), options_.limit});
}

void Streams::Answer(ReplyToken token, decltype(Reply::what) what) {
  if (token != 0) ready_.replies.push_back({token, std::move(what)});
}

}  // namespace belfry
