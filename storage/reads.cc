#include "storage/reads.h"

#include <algorithm>

#include "base/limits.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"
#include "storage/stopwatch_reads.h"
#include "storage/stream_reads.h"

namespace belfry {
namespace {

using FoundTimer = std::optional<TimerView>;

Result<uint64_t> U64Of(const Found& row) {
  if (!row) return uint64_t{0};
  ByteReader in(*row);
  const uint64_t value = in.U64();
  if (!in.finished()) return Corruption("a meta row does not parse");
  return value;
}

Result<uint64_t> MetaU64(const KvView& view, std::string_view key) {
  const Result<Found> found = view.Get(Cf::kMeta, key);
  if (!found.ok()) return found.status();
  return U64Of(*found);
}

bool IsFiring(const Query& query, TimerId id) {
  return query.firing && std::binary_search(query.firing->begin(), query.firing->end(), id);
}

TimerView ViewOf(const Query& query, TimerId id, const IdEntry& entry) {
  const bool firing = IsAlive(entry.state) && IsFiring(query, id);
  return {id, firing ? TimerState::kFiring : entry.state, entry.due, nullptr};
}

Result<std::optional<IdEntry>> EntryAt(std::string_view key, TimerId id, const Found& bytes) {
  if (!bytes) return std::optional<IdEntry>();
  const Result<IdEntry> entry = DecodeIdEntry(key, *bytes);
  if (!entry.ok()) {
    return Corruption("timer " + std::to_string(id) + " in ids: " + entry.status().message());
  }
  return std::optional<IdEntry>(*entry);
}

Result<TimerId> ReadFloor(const KvView& view, TenantId tenant) {
  return MetaU64(view, MetaKey(MetaKind::kFloor, tenant));
}

Result<std::optional<IdEntry>> ReadEntry(const KvView& view, TenantId tenant, TimerId id,
                                         TimerId floor) {
  if (id <= floor) return std::optional<IdEntry>();
  const ShortKey key = IdKey(tenant, id);
  const Result<Found> found = view.Get(Cf::kIds, key);
  if (!found.ok()) return found.status();
  return EntryAt(key, id, *found);
}

Result<std::optional<IdEntry>> ReadEntry(const KvView& view, TenantId tenant, TimerId id) {
  const Result<TimerId> floor = ReadFloor(view, tenant);
  if (!floor.ok()) return floor.status();
  return ReadEntry(view, tenant, id, *floor);
}

// Null when the record is not where the entry says.
Result<TimerPtr> ReadRecord(const KvView& view, TenantId tenant, TimerId id, const IdEntry& entry) {
  const Place at = PlaceOf(tenant, id, entry);
  const Result<Found> found = view.Get(at.cf, at.key);
  if (!found.ok()) return found.status();
  if (!*found) return TimerPtr();
  Result<TimerPtr> timer = DecodeTimer(at.key, **found);
  if (!timer.ok()) {
    return Corruption("record of timer " + std::to_string(id) + " at " + KeyText({entry.at, id}) +
                      ": " + timer.status().message());
  }
  return timer;
}

// Compaction ignores views: an entry can be left without its record, while the newest state of the
// store no longer has the entry. So a record that is missing is looked for again in fresh views.
Result<FoundTimer> FindAgain(const Kv& kv, const Query& query, TenantId tenant, TimerId id) {
  constexpr int kFreshViewsMax = 3;
  for (int i = 0; i < kFreshViewsMax; ++i) {
    const auto view = kv.View();
    const Result<std::optional<IdEntry>> entry = ReadEntry(*view, tenant, id);
    if (!entry.ok()) return entry.status();
    if (!*entry) return FoundTimer();
    Result<TimerPtr> record = ReadRecord(*view, tenant, id, **entry);
    if (!record.ok()) return record.status();
    if (*record == nullptr) continue;
    FoundTimer found(ViewOf(query, id, **entry));
    found->timer = std::move(*record);
    return found;
  }
  return Corruption("timer " + std::to_string(id) + " is in ids but has no record");
}

Result<FoundTimer> Find(const Kv& kv, const Query& query, const FindQuery& find) {
  if (find.full) return FindAgain(kv, query, find.tenant, find.id);
  const auto view = kv.View();
  const Result<std::optional<IdEntry>> entry = ReadEntry(*view, find.tenant, find.id);
  if (!entry.ok()) return entry.status();
  if (!*entry) return FoundTimer();
  return FoundTimer(ViewOf(query, find.id, **entry));
}

bool Matches(const TimerFilter& filter, const TimerView& view) {
  if (filter.state && *filter.state != view.state) return false;
  if (filter.due_after && view.due <= *filter.due_after) return false;
  return !filter.due_before || view.due < *filter.due_before;
}

// Calls `each(id, entry)` for the tenant's ids after `after`, until it says false, they end, or the
// query is to stop.
template <typename Each>
Status WalkIds(const KvView& view, const Query& query, TenantId tenant, TimerId after,
               bool keep_cached, Each each) {
  const Result<TimerId> floor = ReadFloor(view, tenant);
  if (!floor.ok()) return floor.status();
  const Result<TimerId> first = MetaU64(view, MetaKey(MetaKind::kFirstId, tenant));
  if (!first.ok()) return first.status();
  // Not from the floor alone: what retention forgot is a wall of deletes in front of the rest.
  const TimerId from = std::max({after, *floor, *first > 0 ? *first - 1 : 0});
  if (from == std::numeric_limits<TimerId>::max()) return {};
  const ShortKey end = ShortKey().U32(tenant).U64(std::numeric_limits<TimerId>::max());
  const auto rows = view.Scan(Cf::kIds, IdKey(tenant, from + 1), end, keep_cached);
  for (int row = 0; rows->Valid(); rows->Next(), ++row) {
    if (row % kStopCheckRows == 0 && query.stop != nullptr && *query.stop) {
      return {StatusCode::kUnavailable, "stopping"};
    }
    const std::optional<TenantTimer> key = ParseIdKey(rows->key());
    if (!key) return Corruption("ids holds a key that does not parse");
    const Result<IdEntry> entry = DecodeIdEntry(rows->key(), rows->value());
    if (!entry.ok()) {
      return Corruption("timer " + std::to_string(key->id) +
                        " in ids: " + entry.status().message());
    }
    const Result<bool> more = each(key->id, *entry);
    if (!more.ok()) return more.status();
    if (!*more) return {};
  }
  return rows->status();
}

// Adds the timer to the page, unless it vanished since the view was taken.
Status AddToPage(const Kv& kv, const KvView& view, const Query& query, TenantId tenant,
                 const IdEntry& entry, TimerView row, TimerPage* page) {
  Result<TimerPtr> record = ReadRecord(view, tenant, row.id, entry);
  if (!record.ok()) return record.status();
  if (*record == nullptr) {
    Result<FoundTimer> again = FindAgain(kv, query, tenant, row.id);
    if (!again.ok()) return again.status();
    if (!*again) return {};
    row = std::move(**again);
  } else {
    row.timer = std::move(*record);
  }
  std::string().swap(row.timer->body);
  page->timers.push_back(std::move(row));
  return {};
}

Result<TimerPage> List(const Kv& kv, const Query& query, const ListQuery& list) {
  const size_t limit = static_cast<size_t>(std::clamp(list.limit, 1, kPageMax));
  TimerPage page;
  int examined = 0;
  size_t bytes = 0;
  TimerId last = list.after;
  const auto view = kv.View();
  const auto each = [&](TimerId id, const IdEntry& entry) -> Result<bool> {
    if (page.timers.size() >= limit || examined >= kPageExaminedMax || bytes >= kPageBytesMax) {
      page.next_after = last;
      return false;
    }
    ++examined;
    last = id;
    TimerView row = ViewOf(query, id, entry);
    if (!Matches(list.filter, row)) return true;
    const size_t before = page.timers.size();
    Status s = AddToPage(kv, *view, query, list.tenant, entry, std::move(row), &page);
    if (!s.ok()) return s;
    if (page.timers.size() > before) bytes += MemoryBytes(*page.timers.back().timer);
    return true;
  };
  Status s = WalkIds(*view, query, list.tenant, list.after, true, each);
  if (!s.ok()) return s;
  return page;
}

Result<uint64_t> CountByScan(const KvView& view, const Query& query, const CountQuery& count) {
  uint64_t matching = 0;
  const auto each = [&](TimerId id, const IdEntry& entry) -> Result<bool> {
    if (Matches(count.filter, ViewOf(query, id, entry))) ++matching;
    return true;
  };
  if (Status s = WalkIds(view, query, count.tenant, 0, false, each); !s.ok()) return s;
  return matching;
}

// The dead have rows of their own, so the ids of all others are not looked at. Every row at or
// above the cursor of retention and above the floor is a dead timer's.
Result<uint64_t> CountDead(const KvView& view, const Query& query, const CountQuery& count) {
  const Result<TimerId> floor = ReadFloor(view, count.tenant);
  if (!floor.ok()) return floor.status();
  const Result<Found> passed = view.Get(Cf::kMeta, MetaKey(MetaKind::kDeadCursor, count.tenant));
  if (!passed.ok()) return passed.status();
  Key cursor;
  if (*passed) {
    const std::optional<Key> read = ParseTimeKey(**passed);
    if (!read) return Corruption("a meta row does not parse");
    cursor = *read;
  }
  const Key end{kWallMax + 1, 0};
  const auto rows =
      view.Scan(Cf::kDead, DeadKey(count.tenant, cursor), DeadKey(count.tenant, end), false);
  uint64_t matching = 0;
  for (int row = 0; rows->Valid(); rows->Next(), ++row) {
    if (row % kStopCheckRows == 0 && query.stop != nullptr && *query.stop) {
      return Status(StatusCode::kUnavailable, "stopping");
    }
    const std::optional<TenantKey> key = ParseDeadKey(rows->key());
    if (!key || key->key.id <= *floor) continue;
    const Result<TimerPtr> timer = DecodeTimer(rows->key(), rows->value());
    // As a replay does: what cannot be read is passed.
    if (!timer.ok()) continue;
    const TimerView dead{key->key.id, TimerState::kDead, (*timer)->due, nullptr};
    if (Matches(count.filter, dead)) ++matching;
  }
  if (!rows->status().ok()) return rows->status();
  return matching;
}

// How many of the ids in flight are this tenant's and stored in this state (or, without one,
// alive).
Result<uint64_t> CountFiring(const KvView& view, const Query& query, TenantId tenant,
                             std::optional<TimerState> stored) {
  const Result<TimerId> floor = ReadFloor(view, tenant);
  if (!floor.ok()) return floor.status();
  uint64_t firing = 0;
  if (!query.firing) return firing;
  for (const TimerId id : *query.firing) {
    const Result<std::optional<IdEntry>> entry = ReadEntry(view, tenant, id, *floor);
    if (!entry.ok()) return entry.status();
    if (!*entry || !IsAlive((*entry)->state)) continue;
    if (!stored || (*entry)->state == *stored) ++firing;
  }
  return firing;
}

Result<uint64_t> Count(const Kv& kv, const Query& query, const CountQuery& count) {
  const auto view = kv.View();
  const bool dead = count.filter.state == TimerState::kDead;
  if (count.filter.NeedsScan()) {
    return dead ? CountDead(*view, query, count) : CountByScan(*view, query, count);
  }
  const std::optional<TimerState> wanted = count.filter.state;
  if (wanted == TimerState::kFiring) return CountFiring(*view, query, count.tenant, std::nullopt);
  uint64_t total = 0;
  for (int i = 1; i <= kStoredStates; ++i) {
    const auto state = static_cast<TimerState>(i);
    if (wanted && state != *wanted) continue;
    const Result<uint64_t> stored = MetaU64(*view, CountKey(count.tenant, state));
    if (!stored.ok()) return stored;
    total += *stored;
  }
  if (!wanted || !IsAlive(*wanted)) return total;
  const Result<uint64_t> firing = CountFiring(*view, query, count.tenant, wanted);
  if (!firing.ok()) return firing;
  if (*firing > total) return Corruption("counts and ids of a tenant differ");
  return total - *firing;
}

template <typename T>
void Give(Result<T> answer, QueryResult* result) {
  if (answer.ok()) {
    result->what = std::move(*answer);
  } else {
    result->status = answer.status();
  }
}

}  // namespace

std::optional<QueryResult> AnswerFromMemory(const Kv& kv, const Query& query) {
  const auto* find = std::get_if<FindQuery>(&query.what);
  if (find == nullptr || find->full) return std::nullopt;
  const auto floor = kv.GetFromMemory(Cf::kMeta, MetaKey(MetaKind::kFloor, find->tenant));
  if (!floor || !floor->ok()) return std::nullopt;
  const Result<uint64_t> above = U64Of(**floor);
  if (!above.ok()) return std::nullopt;
  QueryResult result(query);
  result.what = FoundTimer();
  if (find->id <= *above) return result;
  const ShortKey key = IdKey(find->tenant, find->id);
  const auto found = kv.GetFromMemory(Cf::kIds, key);
  if (!found || !found->ok()) return std::nullopt;
  const Result<std::optional<IdEntry>> entry = EntryAt(key, find->id, **found);
  if (!entry.ok()) return std::nullopt;
  if (*entry) result.what = FoundTimer(ViewOf(query, find->id, **entry));
  return result;
}

QueryResult Answer(const Kv& kv, const Query& query) {
  QueryResult result(query);
  if (const auto* find = std::get_if<FindQuery>(&query.what)) {
    Give(Find(kv, query, *find), &result);
  } else if (const auto* list = std::get_if<ListQuery>(&query.what)) {
    Give(List(kv, query, *list), &result);
  } else if (const auto* stopwatches = std::get_if<StopwatchQuery>(&query.what)) {
    Give(ListStopwatches(*kv.View(), *stopwatches), &result);
  } else if (const auto* user = std::get_if<UserQuery>(&query.what)) {
    Give(FindUser(kv, *user), &result);
  } else if (const auto* users = std::get_if<UsersQuery>(&query.what)) {
    Give(ListUsers(kv, *users, query.stop), &result);
  } else {
    Give(Count(kv, query, std::get<CountQuery>(query.what)), &result);
  }
  return result;
}

}  // namespace belfry
