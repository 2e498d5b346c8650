#include "tests/sim/stream_sim.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "storage/keys.h"
#include "storage/stream_rows.h"

namespace belfry::sim {
namespace {

constexpr const char* kUsers[] = {"ann", "anna"};
// Of this tenant streams have no call: its timers are not the World's.
constexpr TenantId kOther = kLocalTenant + 1;

bool IsOurs(size_t kind) { return Streams::IsOurs(kind) || kind == kOpKind<LapseStreamOp>; }

}  // namespace

StreamSim::StreamSim(uint64_t seed)
    : random_(seed ^ 0x57ea'0f57'ea0f'57eau),
      limit_(static_cast<uint32_t>(1 + Random(3))),
      require_user_(Random(4) == 0),
      ops_max_(Random(2) == 0 ? kStreamOpsQueuedMax : 2 + Random(6)),
      lists_max_(1 + Random(3)) {}

StreamsOptions StreamSim::Options() {
  return {limit_, require_user_, [this] { return random_(); }, ops_max_, lists_max_};
}

ReplyToken StreamSim::Expect(Request request) {
  asked_.emplace(next_token_, std::move(request));
  return next_token_++;
}

// --- players -------------------------------------------------------------------------------------

void StreamSim::Step(WallMs now) {
  Streams& streams = engine_->streams();
  const TenantId tenant = Random(5) == 0 ? kOther : kLocalTenant;
  const StreamModel::Name user{tenant, kUsers[Random(std::size(kUsers))]};
  switch (Random(12)) {
    case 0: {
      std::optional<uint32_t> limit;
      if (Random(2) == 0) limit = static_cast<uint32_t>(1 + Random(3));
      return streams.PutUser(Expect({Ask::kPut}), user.first, user.second, limit);
    }
    case 1:
      if (Random(3) == 0) {
        return streams.DeleteUser(Expect({Ask::kEnd}), user.first, user.second, now);
      }
      return streams.ListUsers(Expect({Ask::kRead}), {user.first, "", 10, now});
    case 2:
      return streams.FindUser(Expect({Ask::kRead}), {user.first, user.second, now});
    case 3:
    case 4: {
      const Stream stream = AnyStream();
      return streams.End(Expect({Ask::kEnd}), stream.user.first, stream.user.second, stream.id,
                         now);
    }
    case 5:
    case 6:
    case 7: {
      const Stream stream = AnyStream();
      return streams.Renew(Expect({Ask::kRenew, stream}), stream.user.first, stream.user.second,
                           stream.id, now);
    }
    default:
      // As a player that reconnects: several at once.
      for (uint64_t more = 1 + Random(3); more > 0; --more) {
        Start(Expect({Ask::kStart}), user, now);
      }
  }
}

void StreamSim::Start(ReplyToken token, const StreamModel::Name& user, WallMs now) {
  StreamStart start;
  start.tenant = user.first;
  start.user = user.second;
  start.content = "c";
  start.ttl_ms = kSecondMs + static_cast<int64_t>(Random(10'000));
  if (user.first == kLocalTenant && Random(3) > 0) {
    start.on_expire = "http://r" + std::to_string(Random(4)) + "/expired";
  }
  start.evict_oldest = Random(4) == 0;
  engine_->streams().Start(token, std::move(start), now);
}

// Mostly one of the last; now and then under another's name.
StreamSim::Stream StreamSim::AnyStream() {
  if (started_.empty() || Random(12) == 0) return {{kLocalTenant, "ann"}, {}};
  const uint64_t back = Random(std::min<uint64_t>(started_.size(), 6));
  Stream stream = started_[started_.size() - 1 - back];
  if (Random(10) == 0) stream.user.first = kOther;
  return stream;
}

// --- the store -----------------------------------------------------------------------------------

void StreamSim::Asked(const Op& op, WallMs now, std::optional<WallMs> instead) {
  const bool renews = std::holds_alternative<RenewStreamOp>(op.what);
  if (instead && (renews || std::holds_alternative<StartStreamOp>(op.what))) {
    Fail("L6: a clock that cannot be right is believed");
  }
  const auto* end = std::get_if<EndStreamOp>(&op.what);
  const auto* gone = std::get_if<DeleteUserOp>(&op.what);
  if (instead && ((end && end->now != *instead) || (gone && gone->now != *instead))) {
    Fail("L6: what lapsed is decided by a clock that cannot be right");
  }
  const auto* lapse = std::get_if<LapseStreamOp>(&op.what);
  if (lapse != nullptr && lapse->deadline->next_attempt > now) {
    Fail("L5: a deadline is met before its time");
  }
}

void StreamSim::Given(const Op& op) {
  if (IsOurs(op.what.index())) given_.push_back(CopyOfStreamOp(op));
}

void StreamSim::Applied(const std::vector<Completion>& done, bool ok) {
  size_t count = 0;
  for (const Completion& completion : done) {
    if (!IsOurs(completion.kind)) continue;
    CheckApplied(given_.at(count++), completion);
  }
  given_.erase(given_.begin(), given_.begin() + static_cast<std::ptrdiff_t>(count));
  if (ok && !given_.empty()) Fail("L1: an op was applied and says nothing");
  if (ok && started_at_) CheckLimits(*std::exchange(started_at_, std::nullopt));
}

void StreamSim::CheckApplied(const Op& op, const Completion& done) {
  if (model_.Do(op) != done.result) Fail("L1: an op says what is not so");
  if (done.token != 0) durable_[done.token] = {done.result, model_.answer()};
  if (const auto* start = std::get_if<StartStreamOp>(&op.what)) {
    if (done.result == OpResult::kFull) ++refused_;
    if (done.result == OpResult::kDone) {
      started_.push_back({{start->start->tenant, start->start->user}, start->start->stream});
      if (done.stream->active > model_.answer().limit) {
        Fail("L2: one stream more than the limit was let in");
      }
    }
    started_at_ = start->start->now;
  }
  if (done.kind == kOpKind<RenewStreamOp> && done.result == OpResult::kDone) ++renewals_;
  if (done.stream) {
    for (const TimerPtr& deadline : done.stream->moved) moving_.insert(deadline->id);
    moved_ += done.stream->moved.size();
  }
  if (done.kind == kOpKind<LapseStreamOp>) CheckCall(op, done.callback.get());
}

void StreamSim::CheckCall(const Op& op, const Timer* call) {
  const auto& told = model_.told();
  if (told.has_value() != (call != nullptr)) {
    return Fail(call != nullptr ? "L3: a lease that has not lapsed tells of it"
                                : "L3: a lease lapsed and nobody is told");
  }
  if (call == nullptr) return;
  ++lapses_;
  const bool right = call->id == std::get<LapseStreamOp>(op.what).callback &&
                     call->body.find(FormatUuid(told->id)) != std::string::npos &&
                     call->tenant == told->user.first;
  if (!right) Fail("L3: the call of a lapse is wrong: " + call->body);
  if (!told_.insert(told->id).second) Fail("L3: a lapse is told twice");
}

// By what is stored, once all of a group is.
void StreamSim::CheckLimits(WallMs now) {
  for (const auto& [name, user] : model_.users()) {
    const auto view = ViewOf(name, now);
    if (view && view->streams.size() > user.limit.value_or(limit_)) {
      Fail("L2: a user has more streams than the limit");
    }
  }
}

std::optional<UserView> StreamSim::ViewOf(const StreamModel::Name& user, WallMs now) const {
  UserView out;
  const std::string key = StreamKey(StreamRow::kUser, user.first, user.second);
  const Found found = kv_->Get(Cf::kStream, key).value();
  if (!found) return std::nullopt;
  const StreamUser known = DecodeUser(key, *found).value();
  for (const StreamId& id : known.streams) {
    const std::string lease_key = StreamKey(StreamRow::kLease, user.first, user.second, id);
    const Found lease = kv_->Get(Cf::kStream, lease_key).value();
    if (!lease) continue;
    const Lease read = DecodeLease(lease_key, *lease).value();
    if (read.expires_at > now) out.streams.push_back({id, read.content, {}, read.expires_at});
  }
  return out;
}

bool StreamSim::Matches(const StreamModel& model) const {
  std::map<TimerId, StreamModel::Held> leases;
  std::set<StreamModel::Name> users;
  const auto view = kv_->View();
  const auto rows = view->Scan(Cf::kStream, {}, "\xff");
  for (; rows->Valid(); rows->Next()) {
    const StreamName name = ParseStreamKey(rows->key()).value();
    const StreamModel::Name user{name.tenant, std::string(name.user)};
    if (name.row == StreamRow::kUser) {
      users.insert(user);
      const auto known = model.users().find(user);
      const StreamUser read = DecodeUser(rows->key(), rows->value()).value();
      if (known == model.users().end() || read.streams != model.NamedIds(user)) return false;
      if (known->second != StreamModel::User{read.limit, read.last_online}) return false;
      continue;
    }
    const Lease lease = DecodeLease(rows->key(), rows->value()).value();
    const auto known = model.leases().find(lease.fencing);
    if (known == model.leases().end()) return false;
    const StreamModel::Held& held = known->second;
    const bool same = held.user == user && held.id == name.stream &&
                      held.expires_at == lease.expires_at &&
                      held.named == (name.row == StreamRow::kLease);
    const std::string deadline(TimeKey({held.due, lease.fencing}));
    if (!same || !kv_->Get(Cf::kDue, deadline).value()) return false;
    leases[lease.fencing] = held;
  }
  return leases == model.leases() && users.size() == model.users().size();
}

// Of a group that failed any number of ops may be there, from the front.
void StreamSim::Opened(Engine* engine, const Kv& kv) {
  engine_ = engine;
  kv_ = &kv;
  bool matches = Matches(model_);
  for (const Op& op : given_) {
    if (matches) break;
    static_cast<void>(model_.Do(op));
    if (const auto& told = model_.told()) told_.insert(told->id);
    matches = Matches(model_);
  }
  if (!matches) Fail("L1: after a start the streams are not those that were durable");
  given_.clear();
}

void StreamSim::HandedBack(const Completion& done) {
  if (!done.stream) return;
  for (const TimerPtr& deadline : done.stream->moved) moving_.erase(moving_.find(deadline->id));
}

void StreamSim::Crashed() {
  asked_.clear();
  durable_.clear();
  shown_.clear();
  moving_.clear();
}

std::map<TimerId, Key> StreamSim::Deadlines() const {
  std::map<TimerId, Key> out;
  for (const auto& [id, lease] : model_.leases()) out[id] = {lease.due, id};
  return out;
}

std::map<TimerId, Key> StreamSim::KnownDeadlines() const {
  std::map<TimerId, Key> out = Deadlines();
  for (const TimerId id : moving_) out.erase(id);
  return out;
}

// --- answers -------------------------------------------------------------------------------------

void StreamSim::WasRead(const Query& query, const QueryResult& result) {
  const auto* asked = std::get_if<UserQuery>(&query.what);
  if (asked == nullptr) return;
  const StreamModel::Name name{asked->tenant, asked->user};
  const auto* view = std::get_if<std::optional<UserView>>(&result.what);
  if (view == nullptr || view->has_value() != model_.users().contains(name)) {
    return Fail("L4: a user is there and not shown, or the other way round");
  }
  std::vector<StreamId>& shown = shown_[query.token];
  if (!*view) return;
  for (const StreamView& stream : (*view)->streams) shown.push_back(stream.id);
  if (shown != model_.Alive(name, asked->now))
    Fail("L4: the streams of a user are not those that are stored");
}

void StreamSim::CheckRefused(const Request& request, Refusal refusal) {
  if (refusal == Refusal::kStopping || refusal == Refusal::kOutcomeUnknown) return;
  if (request.ask == Ask::kEnd) return Fail("L8: an end was refused");
  if (request.ask != Ask::kRenew || refusal == Refusal::kClockWrong) return;
  const auto renewals = std::count_if(asked_.begin(), asked_.end(), [](const auto& other) {
    return other.second.ask == Ask::kRenew;
  });
  if (static_cast<size_t>(renewals) < ops_max_) Fail("L8: a heartbeat was refused");
}

void StreamSim::CheckRenewed(const Stream& stream, const Reply& reply) {
  if (std::holds_alternative<NotFoundReply>(reply.what)) {
    over_.insert({stream.user, stream.id});
  } else if (over_.contains({stream.user, stream.id})) {
    Fail("L7: a stream that was over is renewed");
  }
}

std::optional<StreamSim::Done> StreamSim::Said(const Reply& reply) {
  Done said{OpResult::kDone, {}};
  if (const auto* made = std::get_if<UserMadeReply>(&reply.what)) {
    said.answer.limit = made->limit;
  } else if (const auto* started = std::get_if<StreamStartedReply>(&reply.what)) {
    said.answer = {started->limit, started->active, started->evicted, {}};
  } else if (const auto* full = std::get_if<StreamLimitReply>(&reply.what)) {
    said.result = OpResult::kFull;
    said.answer.limit = full->limit;
    for (const StreamView& stream : full->playing) said.playing.push_back(stream.id);
  } else if (const auto* renewed = std::get_if<StreamRenewedReply>(&reply.what)) {
    said.answer.expires_at = renewed->expires_at;
  } else if (std::holds_alternative<UserExistsReply>(reply.what)) {
    said.result = OpResult::kExists;
  } else if (std::holds_alternative<NotFoundReply>(reply.what)) {
    said.result = OpResult::kGone;
  } else if (!std::holds_alternative<UserGoneReply>(reply.what) &&
             !std::holds_alternative<StreamEndedReply>(reply.what)) {
    return std::nullopt;
  }
  return said;
}

bool StreamSim::Answered(const Reply& reply) {
  auto asked = asked_.extract(reply.token);
  if (!asked) return false;
  const Request& request = asked.mapped();
  auto durable = durable_.extract(reply.token);
  const auto shown = shown_.extract(reply.token);
  if (const auto* refusal = std::get_if<Refusal>(&reply.what)) {
    CheckRefused(request, *refusal);
    return true;
  }
  if (request.ask == Ask::kRead) return true;  // see WasRead
  if (!durable) {
    Fail("L1: a player was answered before it was durable");
    return true;
  }
  Done& done = durable.mapped();
  // A user without a limit of their own is told that of all.
  if (request.ask == Ask::kPut && done.answer.limit == 0) done.answer.limit = limit_;
  if (done.result == OpResult::kExists) done.answer = {};
  if (done.result == OpResult::kFull) {
    done.answer.active = 0;  // the list is of a later moment
    if (shown) done.playing = shown.mapped();
  }
  const auto said = Said(reply);
  if (!said || said->result != done.result || said->answer != done.answer ||
      said->playing != done.playing) {
    Fail("L1: a player was told what is not so");
  }
  if (request.ask == Ask::kRenew) CheckRenewed(request.stream, reply);
  return true;
}

}  // namespace belfry::sim
