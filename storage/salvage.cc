#include "storage/salvage.h"

#include <array>
#include <map>
#include <optional>
#include <utility>

#include "storage/books.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"
#include "storage/salvage_copy.h"
#include "storage/salvage_streams.h"
#include "storage/tolerant_scan.h"

namespace belfry {
namespace {

constexpr size_t kLostNamedMax = 1000;
constexpr std::string_view kEnd{"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9};  // behind every key

// What a scan reads: nobody looks below `from`.
struct Range {
  Cf cf;
  std::string from;
  std::string to;
};

// Ended records first: they are looked up when a live record has no entry.
std::vector<Range> RecordRanges(const Books& books) {
  std::vector<Range> ranges;
  const auto add = [&](Cf cf, std::string_view from, std::string_view to) {
    ranges.push_back({cf, std::string(from), std::string(to)});
  };
  add(Cf::kDone, TimeKey(books.done_cursor()), kEnd);
  add(Cf::kDead, {}, kEnd);
  add(Cf::kDue, TimeKey({books.low(), 0}), kEnd);
  for (const ParkedTarget& target : books.targets().Parked()) {
    add(Cf::kParked, ParkedKey(target.number, target.low), ParkedKey(target.number, kKeyTimesEnd));
  }
  return ranges;
}

std::string NameOf(TenantId tenant, TimerId id) {
  return (tenant == kLeaseTenant ? "the deadline of a stream, " : "timer ") + std::to_string(id);
}

// The entry that belongs to a record kept under this key.
IdEntry EntryFor(const Timer& timer, Cf cf, std::string_view key) {
  const auto parked = cf == Cf::kParked ? ParseParkedKey(key) : std::nullopt;
  return EntryOf(timer, parked ? parked->target : 0);
}

// The counts of (tenant, state).
using Counts = std::map<std::pair<TenantId, TimerState>, uint64_t>;

// Either row of a stopwatch.
struct StopwatchRow {
  std::string other_key;
  WallMs started_at;

  static std::optional<StopwatchRow> Read(std::string_view key, std::string_view value) {
    const std::optional<StopwatchOwner> by_owner = ParseStopwatchKey(key);
    const std::optional<StopwatchOwner> by_name = ParseStopwatchNameKey(key);
    const Result<WallMs> started_at = DecodeStopwatch(key, value);
    if ((!by_owner && !by_name) || !started_at.ok()) return std::nullopt;
    if (by_owner)
      return StopwatchRow{StopwatchNameKey(by_owner->name, by_owner->tenant), *started_at};
    return StopwatchRow{StopwatchKey(by_name->tenant, by_name->name), *started_at};
  }
};

class Check {
 public:
  explicit Check(const Kv& kv, Books books) : view_(kv.View()), books_(std::move(books)) {}

  Status All() {
    for (const Range& range : RecordRanges(books_)) {
      if (Status s = Records(range); !s.ok()) return s;
    }
    if (Status s = Entries(); !s.ok()) return s;
    if (Status s = OnceRows(); !s.ok()) return s;
    if (Status s = Stopwatches(); !s.ok()) return s;
    if (Status s = CheckStreams(*view_); !s.ok()) return s;
    for (const TenantId tenant : books_.Tenants()) {
      for (int i = 1; i <= kStoredStates; ++i) {
        const auto state = static_cast<TimerState>(i);
        if (counts_[{tenant, state}] != books_.CountOf(tenant, state)) {
          return Corruption("the count of " + std::string(StateName(state)) + " timers is wrong");
        }
      }
    }
    return {};
  }

 private:
  Status Records(const Range& range) {
    const std::string family(CfName(range.cf));
    const auto rows = view_->Scan(range.cf, range.from, range.to, false);
    for (; rows->Valid(); rows->Next()) {
      const Result<TimerPtr> timer = DecodeTimer(rows->key(), rows->value());
      if (!timer.ok()) return Corruption(family + ": " + timer.status().message());
      const Timer& t = **timer;
      const bool of_live = range.cf == Cf::kDue || range.cf == Cf::kParked;
      if (!of_live || !books_.Exists(t.tenant, t.id)) continue;
      const ShortKey key = IdKey(t.tenant, t.id);
      const Result<Found> entry = view_->Get(Cf::kIds, key);
      if (!entry.ok()) return entry.status();
      if (!*entry || **entry != EncodeIdEntry(key, EntryFor(t, range.cf, rows->key()))) {
        return Corruption(NameOf(t.tenant, t.id) + " is in " + family + ", but not so in ids");
      }
    }
    return rows->status();
  }

  // Where pages of its target come by.
  [[nodiscard]] bool IsReadBack(TimerId id, const IdEntry& entry) const {
    const ParkedTarget* const target = books_.targets().Find(entry.parked);
    return target != nullptr && Key{entry.at, id} >= target->low;
  }

  Status Entries() {
    const auto rows = view_->Scan(Cf::kIds, {}, kEnd, false);
    for (; rows->Valid(); rows->Next()) {
      const auto key = ParseIdKey(rows->key());
      const Result<IdEntry> entry = DecodeIdEntry(rows->key(), rows->value());
      if (!key || !entry.ok()) return Corruption("ids holds a row that does not parse");
      if (!books_.Exists(key->tenant, key->id)) continue;
      if (key->id < books_.FirstIdOf(key->tenant)) {
        return Corruption(NameOf(key->tenant, key->id) + " is below the first id");
      }
      if (entry->parked != 0 && !IsReadBack(key->id, *entry)) {
        return Corruption(NameOf(key->tenant, key->id) + " is parked where nobody looks");
      }
      ++counts_[{key->tenant, entry->state}];
      const Place place = PlaceOf(key->tenant, key->id, *entry);
      const Result<Found> record = view_->Get(place.cf, place.key);
      if (!record.ok()) return record.status();
      if (!*record) {
        return Corruption(NameOf(key->tenant, key->id) + " is in ids but has no record");
      }
    }
    return rows->status();
  }

  Status OnceRows() {
    const auto rows = view_->Scan(Cf::kOnce, {}, kEnd, false);
    for (; rows->Valid(); rows->Next()) {
      const bool by_key = ParseOnceKey(rows->key()).has_value();
      if (by_key ? !DecodeOnceEntry(rows->key(), rows->value()).ok()
                 : !ParseOnceTimeKey(rows->key())) {
        return Corruption("once holds a row that does not parse");
      }
    }
    return rows->status();
  }

  // Each has two rows, which agree.
  Status Stopwatches() {
    const auto rows = view_->Scan(Cf::kStopwatch, {}, kEnd, false);
    for (; rows->Valid(); rows->Next()) {
      const std::optional<StopwatchRow> row = StopwatchRow::Read(rows->key(), rows->value());
      if (!row) return Corruption("stopwatch holds a row that does not parse");
      const Result<Found> other = view_->Get(Cf::kStopwatch, row->other_key);
      if (!other.ok()) return other.status();
      if (!*other || **other != EncodeStopwatch(row->other_key, row->started_at)) {
        return Corruption("a stopwatch is not the same by owner and by name");
      }
    }
    return rows->status();
  }

  std::unique_ptr<KvView> view_;
  Books books_;
  Counts counts_;
};

class Salvager {
 public:
  Salvager(const Kv& from, Books books, Kv* to, const LogFn& log)
      : view_(from.View()), books_(std::move(books)), to_(to), log_(log) {}

  Result<Salvaged> All() {
    if (Status s = Figures(); !s.ok()) return s;
    for (const Range& range : RecordRanges(books_)) {
      if (Status s = Records(range); !s.ok()) return s;
    }
    if (Status s = Entries(); !s.ok()) return s;
    if (Status s = OnceRows(); !s.ok()) return s;
    if (Status s = Stopwatches(); !s.ok()) return s;
    for (const auto& [whose, count] : counts_) {
      to_.Put(Cf::kMeta, CountKey(whose.first, whose.second), ShortKey().U64(count));
    }
    if (Status s = to_.Commit(); !s.ok()) return s;
    if (Status s = SalvageStreams(*view_, to_.kv(), log_, &report_); !s.ok()) return s;
    return report_;
  }

 private:
  // They parse: the books were read.
  Status Figures() {
    const auto rows = view_->Scan(Cf::kMeta, {}, kEnd);
    for (; rows->Valid(); rows->Next()) {
      const auto kind = static_cast<MetaKind>(rows->key()[0]);
      // Counted anew; and an id may come to light below the first.
      if (kind == MetaKind::kCount || kind == MetaKind::kFirstId) continue;
      to_.Put(Cf::kMeta, rows->key(), rows->value());
    }
    return rows->status();
  }

  Status Records(const Range& range) {
    TolerantScan rows(*view_, range.cf, range.from, range.to, log_);
    for (; rows.Valid(); rows.Next()) {
      const Result<TimerPtr> timer = DecodeTimer(rows.key(), rows.value());
      if (!timer.ok()) {
        Skip(range.cf, timer.status().message());
        continue;
      }
      const IdEntry own = EntryFor(**timer, range.cf, rows.key());
      const Result<bool> wanted = IsWanted(**timer, own);
      if (!wanted.ok()) return wanted.status();
      if (!*wanted) continue;
      to_.Put(range.cf, rows.key(), rows.value());
      if (Status s = PutEntry(**timer, own); !s.ok()) return s;
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  // Whether the record, readable as it is, is the one that counts; `own` is the entry for it.
  Result<bool> IsWanted(const Timer& timer, const IdEntry& own) {
    if (!books_.Exists(timer.tenant, timer.id)) return false;
    const ShortKey key = IdKey(timer.tenant, timer.id);
    const Result<Found> found = ReadIfReadable(*view_, Cf::kIds, key);
    if (!found.ok()) return found.status();
    const Result<IdEntry> entry = *found ? DecodeIdEntry(key, **found) : Corruption("no entry");
    if (entry.ok()) {
      if (*entry == own) return true;
      const Result<bool> elsewhere = HasRecord(timer.tenant, timer.id, *entry);
      if (!elsewhere.ok() || *elsewhere) return elsewhere.ok() ? Result<bool>(false) : elsewhere;
    }
    if (timer.state == TimerState::kDead) {
      return Key{timer.finished, timer.id} >= books_.DeadCursorOf(timer.tenant);
    }
    if (!IsAlive(timer.state)) return true;  // the scan began at the cursor
    const Result<std::optional<IdEntry>> other = EntryInNew(key);
    if (!other.ok()) return other.status();
    return !*other || (IsAlive((*other)->state) && (*other)->at < timer.next_attempt);
  }

  Result<bool> HasRecord(TenantId tenant, TimerId id, const IdEntry& entry) {
    const Place place = PlaceOf(tenant, id, entry);
    const Result<Found> record = ReadIfReadable(*view_, place.cf, place.key);
    if (!record.ok()) return record.status();
    return *record && DecodeTimer(place.key, **record).ok();
  }

  Result<std::optional<IdEntry>> EntryInNew(std::string_view key) {
    const Result<Found> found = to_.Get(Cf::kIds, key);
    if (!found.ok()) return found.status();
    if (!*found) return std::optional<IdEntry>();
    const Result<IdEntry> entry = DecodeIdEntry(key, **found);
    if (!entry.ok()) return entry.status();
    return std::optional<IdEntry>(*entry);
  }

  Status PutEntry(const Timer& timer, const IdEntry& entry) {
    const ShortKey key = IdKey(timer.tenant, timer.id);
    const Result<std::optional<IdEntry>> replaced = EntryInNew(key);
    if (!replaced.ok()) return replaced.status();
    if (*replaced) {
      const Place place = PlaceOf(timer.tenant, timer.id, **replaced);
      to_.Delete(place.cf, place.key);
      --counts_[{timer.tenant, (*replaced)->state}];
      if (timer.tenant != kLeaseTenant) --report_.kept;
    }
    to_.Put(Cf::kIds, key, EncodeIdEntry(key, entry));
    ++counts_[{timer.tenant, timer.state}];
    if (timer.tenant != kLeaseTenant) ++report_.kept;
    return {};
  }

  // A damaged block can keep a scan from rows of other tables before it as well: what an entry
  // speaks of is looked for by its key, which asks for no other block, before it is given up.
  Status Entries() {
    TolerantScan rows(*view_, Cf::kIds, {}, kEnd, log_);
    for (; rows.Valid(); rows.Next()) {
      const auto key = ParseIdKey(rows.key());
      const Result<IdEntry> entry = DecodeIdEntry(rows.key(), rows.value());
      if (!key || !entry.ok()) {
        Skip(Cf::kIds, key ? entry.status().message() : "a key does not parse");
        continue;
      }
      if (!books_.Exists(key->tenant, key->id)) continue;
      const Result<std::optional<IdEntry>> kept = EntryInNew(rows.key());
      if (!kept.ok()) return kept.status();
      if (*kept) continue;
      if (Status s = KeepOrName(key->tenant, key->id, *entry); !s.ok()) return s;
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  Status KeepOrName(TenantId tenant, TimerId id, const IdEntry& entry) {
    const Place place = PlaceOf(tenant, id, entry);
    const Result<Found> record = ReadIfReadable(*view_, place.cf, place.key);
    if (!record.ok()) return record.status();
    const Result<TimerPtr> timer =
        *record ? DecodeTimer(place.key, **record) : Corruption("no record");
    if (timer.ok()) {
      to_.Put(place.cf, place.key, **record);
      return PutEntry(**timer, EntryFor(**timer, place.cf, place.key));
    }
    // Of a lease: it is made anew, if the lease can be read.
    if (tenant == kLeaseTenant) return {};
    if (++report_.lost <= kLostNamedMax) {
      Say("timer " + std::to_string(id) + " (" + std::string(StateName(entry.state)) +
          ") is lost: its record cannot be read");
    }
    return {};
  }

  Status OnceRows() {
    TolerantScan rows(*view_, Cf::kOnce, kOnceKeysFrom, kOnceKeysEnd, log_);
    for (; rows.Valid(); rows.Next()) {
      const auto name = ParseOnceKey(rows.key());
      const Result<OnceEntry> entry = DecodeOnceEntry(rows.key(), rows.value());
      if (!name || !entry.ok()) {
        Skip(Cf::kOnce, entry.ok() ? "a key does not parse" : entry.status().message());
        continue;
      }
      to_.Put(Cf::kOnce, rows.key(), rows.value());
      to_.Put(Cf::kOnce, OnceTimeKey(entry->created, name->tenant, name->key), {});
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  // Either row brings the other back; where both can be read and differ, the one by owner counts,
  // which is asked for by its key where the scan passed over it.
  Status Stopwatches() {
    TolerantScan rows(*view_, Cf::kStopwatch, {}, kEnd, log_);
    for (; rows.Valid(); rows.Next()) {
      const std::optional<StopwatchRow> row = StopwatchRow::Read(rows.key(), rows.value());
      if (!row) {
        Skip(Cf::kStopwatch, "it does not parse");
        continue;
      }
      WallMs started_at = row->started_at;
      if (rows.key() >= kStopwatchNameKeysFrom) {
        const Result<Found> kept = to_.Get(Cf::kStopwatch, row->other_key);
        if (!kept.ok()) return kept.status();
        if (*kept) continue;
        const Result<Found> passed_over = ReadIfReadable(*view_, Cf::kStopwatch, row->other_key);
        if (!passed_over.ok()) return passed_over.status();
        const auto by_owner = *passed_over ? StopwatchRow::Read(row->other_key, **passed_over)
                                           : std::optional<StopwatchRow>();
        if (by_owner) started_at = by_owner->started_at;
      }
      for (const std::string& key : {std::string(rows.key()), row->other_key}) {
        to_.Put(Cf::kStopwatch, key, EncodeStopwatch(key, started_at));
      }
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  void Skip(Cf cf, const std::string& why) {
    ++report_.skipped_rows;
    Say("a row of " + std::string(CfName(cf)) + " is damaged and skipped: " + why);
  }
  void Say(const std::string& line) {
    if (log_) log_(line);
  }

  std::unique_ptr<KvView> view_;
  Books books_;
  SalvageCopy to_;
  const LogFn& log_;
  Counts counts_;
  Salvaged report_;
};

}  // namespace

Status CheckWhole(const Kv& kv) {
  Result<Books> books = Books::Read(kv);
  if (!books.ok()) return books.status();
  return Check(kv, std::move(*books)).All();
}

Result<Salvaged> Salvage(const Kv& from, Kv* to, const LogFn& log) {
  Result<Books> books = Books::Read(from);
  if (!books.ok()) return books.status();
  return Salvager(from, std::move(*books), to, log).All();
}

}  // namespace belfry
