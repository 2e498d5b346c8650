// The half of Timers that clients call; timers.cc has the other.
#include <algorithm>

#include "base/planted.h"
#include "scheduler/timers.h"

namespace belfry {
namespace {

std::string InProgressKey(TenantId tenant, const std::string& idempotency_key) {
  return std::to_string(tenant) + ' ' + idempotency_key;
}

}  // namespace

void Timers::Set(ReplyToken token, TimerPtr timer, std::string idempotency_key,
                 std::string request_body, WallMs now) {
  const size_t bytes = MemoryBytes(*timer) + request_body.size();
  const auto refusal = WhyNoSet(bytes);
  // A full disk must not keep a client from learning what its first request did.
  const bool look_up_only = refusal == Refusal::kNoSpace && !idempotency_key.empty();
  if (refusal && !look_up_only) return Answer(token, *refusal);
  std::string in_progress;
  if (!idempotency_key.empty()) {
    in_progress = InProgressKey(timer->tenant, idempotency_key);
    if (!idempotency_in_progress_.insert(in_progress).second) {
      return Answer(token, Refusal::kIdempotencyInProgress);
    }
  }
  timer->created_at = now;
  set_keys_.push_back(std::move(in_progress));
  if (look_up_only) {
    const Unfinished::Entry entry{token, 0, 0, kKeyMax.at, true, bytes};
    return Enqueue(
        {token, PutOp{std::move(timer), std::move(idempotency_key), std::move(request_body), true}},
        entry);
  }
  timer->id = ++last_id_;
  timer->state = TimerState::kPending;
  timer->due = std::max(timer->due, now);
  timer->next_attempt = timer->due;

  if (Planted(Bug::kArmBeforeCommit)) window_.Arm(std::make_unique<Timer>(*timer));
  if (Planted(Bug::kAnswerBeforeCommit)) {
    Answer(token, SetReply{timer->id});
    token = 0;
  }
  const Unfinished::Entry entry{token, timer->tenant, timer->id, timer->next_attempt, true, bytes};
  Enqueue({token, PutOp{std::move(timer), std::move(idempotency_key), std::move(request_body)}},
          entry);
}

std::optional<Refusal> Timers::WhyNoSet(size_t bytes) const {
  if (failed_) return Refusal::kStopping;
  if (unfinished_.sets() >= kSetsQueuedMax) return Refusal::kOverloaded;
  if (!HasRoomFor(bytes)) return Refusal::kOverloaded;
  if (no_space_) return Refusal::kNoSpace;
  return std::nullopt;
}

void Timers::Cancel(ReplyToken token, TenantId tenant, TimerId id, WallMs now) {
  if (failed_) return Answer(token, Refusal::kStopping);
  if (!Exists(tenant, id)) return Answer(token, NotFoundReply{});
  if (const auto flight = flights_.find(id); flight != flights_.end() && flight->second.timer) {
    if (flight->second.tenant != tenant) return Answer(token, NotFoundReply{});
    return Answer(token, TooLateReply{id, TooLateReply::Why::kAlreadyFiring});
  }
  const Timer* here = InMemory(id);
  if (here != nullptr && here->tenant != tenant) return Answer(token, NotFoundReply{});
  if (here == nullptr) {
    return Enqueue({token, EraseByIdOp{tenant, id, now}}, {token, tenant, id});
  }
  TimerPtr timer = window_.heap().Remove(id);
  if (!timer) timer = admission_.Remove(id, now);
  if (Planted(Bug::kCancelOnlyInHeap)) return Answer(token, CancelReply{id});
  const Key key = KeyOf(*timer);
  timer->state = TimerState::kCancelled;
  timer->finished = now;
  Enqueue({token, SettleOp{key, std::move(timer)}}, {token, tenant, id, key.at});
}

void Timers::CancelAll(ReplyToken token, TenantId tenant, WallMs now) {
  if (failed_) return Answer(token, Refusal::kStopping);
  // Nobody has set anything since.
  if (DurableFloor(tenant) == last_id_) return Answer(token, AllGoneReply{});
  floors_[tenant] = last_id_;
  window_.heap().DropIf(tenant, [](const Timer&) { return true; });
  const auto left = [this](const Timer& t) {
    parking_.Left(t.id);
    return true;
  };
  admission_.DropIf(tenant, left, now);
  low_may_rise_ = true;
  Enqueue({token, FloorOp{tenant, last_id_}}, {token});
}

void Timers::Find(ReplyToken token, const FindQuery& query) {
  if (!Exists(query.tenant, query.id)) {
    // While a floor is on its way to the disk, the store knows what holds.
    const bool floor_under_way = query.id <= last_id_ && query.id > DurableFloor(query.tenant);
    return floor_under_way ? Ask(token, query) : Answer(token, NotFoundReply{});
  }
  const auto flight = flights_.find(query.id);
  const bool firing = flight != flights_.end() && flight->second.timer;
  const Timer* timer = firing ? flight->second.timer.get() : InMemory(query.id);
  if (timer == nullptr) return FindElsewhere(token, query);
  if (timer->tenant != query.tenant) return Answer(token, NotFoundReply{});
  TimerView view{query.id, firing ? TimerState::kFiring : timer->state, timer->due, nullptr};
  if (query.full) view.timer = std::make_unique<Timer>(*timer);
  Answer(token, std::move(view));
}

void Timers::FindElsewhere(ReplyToken token, const FindQuery& query) {
  const bool quiet = unfinished_.CountFor(query.tenant, query.id) == 0;
  const auto known = quiet && !query.full ? ids_.Find(query.id) : std::nullopt;
  if (!known) return Ask(token, query);
  if (known->tenant != query.tenant) return Answer(token, NotFoundReply{});
  Answer(token, TimerView{query.id, known->state, known->due, nullptr});
}

void Timers::List(ReplyToken token, const ListQuery& query) { Ask(token, query); }
void Timers::Count(ReplyToken token, const CountQuery& query) { Ask(token, query); }

void Timers::Ask(ReplyToken token, decltype(Query::what) what) {
  if (queries_ >= kQueriesQueuedMax) return Answer(token, Refusal::kOverloaded);
  ++queries_;
  Query query{token, std::move(what), nullptr};
  const auto* find = std::get_if<FindQuery>(&query.what);
  if (find != nullptr) {
    ids_.Asked(find->id);
  } else {
    query.firing = Firing();
  }
  ready_.queries.push_back(std::move(query));
}

// Made once for all who ask between two changes.
std::shared_ptr<const std::vector<TimerId>> Timers::Firing() {
  if (firing_ || flights_.empty()) return firing_;
  auto ids = std::make_shared<std::vector<TimerId>>();
  ids->reserve(flights_.size());
  for (const auto& [id, flight] : flights_) {
    if (!flight.expired) ids->push_back(id);
  }
  std::sort(ids->begin(), ids->end());
  firing_ = std::move(ids);
  return firing_;
}

void Timers::QueryDone(QueryResult result) {
  --queries_;
  if (result.asked) NoteFound(result);
  if (!result.status.ok()) {
    ranges_asked_.erase(result.token);
    const bool stopping = result.status.code() == StatusCode::kUnavailable;
    return Answer(result.token, stopping ? Refusal::kStopping : Refusal::kReadFailed);
  }
  if (auto* count = std::get_if<uint64_t>(&result.what)) {
    return Counted(result.token, *count);
  }
  if (auto* page = std::get_if<TimerPage>(&result.what)) {
    return Answer(result.token, std::move(*page));
  }
  auto& found = std::get<std::optional<TimerView>>(result.what);
  if (!found) return Answer(result.token, NotFoundReply{});
  if (IsAlive(found->state) && IsFiring(found->id)) found->state = TimerState::kFiring;
  Answer(result.token, std::move(*found));
}

void Timers::NoteFound(const QueryResult& result) {
  const auto* what = std::get_if<std::optional<TimerView>>(&result.what);
  const bool found = result.status.ok() && what != nullptr && what->has_value();
  ids_.Answered(result.asked->tenant, result.asked->id, found ? &**what : nullptr,
                unfinished_.CountFor(result.asked->tenant, result.asked->id) == 0);
}

// An attempt is under way, or has ended without a durable outcome.
bool Timers::IsFiring(TimerId id) const {
  const auto flight = flights_.find(id);
  return flight != flights_.end() && !flight->second.expired;
}

bool Timers::Exists(TenantId tenant, TimerId id) const {
  if (id == 0 || id > last_id_) return false;
  const auto floor = floors_.find(tenant);
  return floor == floors_.end() || id > floor->second;
}

TimerId Timers::DurableFloor(TenantId tenant) const {
  const auto floor = durable_floors_.find(tenant);
  return floor == durable_floors_.end() ? 0 : floor->second;
}

// A copy in memory that no unfinished op is about to change.
const Timer* Timers::InMemory(TimerId id) const {
  const Timer* timer = window_.heap().Find(id);
  if (timer == nullptr) timer = admission_.Find(id);
  if (timer == nullptr || unfinished_.CountFor(timer->tenant, id) > 0) return nullptr;
  return timer;
}

void Timers::Answer(ReplyToken token, decltype(Reply::what) what) {
  if (token != 0) ready_.replies.push_back({token, std::move(what)});
}

}  // namespace belfry
