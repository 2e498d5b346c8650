#include "storage/salvage_streams.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "storage/books.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"
#include "storage/stream_rows.h"
#include "storage/tolerant_scan.h"

namespace belfry {
namespace {

constexpr std::string_view kUsersFrom{"\1", 1};
constexpr std::string_view kLeasesFrom{"\2", 1};
constexpr uint64_t kMadeNamedMax = 1000;
constexpr std::string_view kEnd{"\xff", 1};  // behind every key

Result<bool> FalseIfDamaged(const Status& status) {
  if (status.code() == StatusCode::kCorruption) return false;
  return status;
}

Status CheckUser(const KvView& view, const StreamName& name, std::string_view key,
                 std::string_view value) {
  const Result<StreamUser> user = DecodeUser(key, value);
  if (!user.ok()) return user.status();
  for (const StreamId& id : user->streams) {
    const std::string lease_key = StreamKey(StreamRow::kLease, name.tenant, name.user, id);
    const Result<Found> lease = view.Get(Cf::kStream, lease_key);
    if (!lease.ok()) return lease.status();
    if (!*lease) return Corruption("a stream has no lease");
  }
  return {};
}

Status CheckDeadline(const KvView& view, const Lease& lease) {
  const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
  const Result<Found> deadline = view.Get(Cf::kIds, id);
  if (!deadline.ok()) return deadline.status();
  if (!*deadline) return Corruption("a lease has no deadline");
  const Result<IdEntry> entry = DecodeIdEntry(id, **deadline);
  if (!entry.ok()) return entry.status();
  return entry->at <= lease.expires_at ? Status() : Corruption("a deadline is too late");
}

Status CheckLease(const KvView& view, const StreamName& name, std::string_view key,
                  std::string_view value) {
  const Result<Lease> lease = DecodeLease(key, value);
  if (!lease.ok()) return lease.status();
  if (Status s = CheckDeadline(view, *lease); !s.ok()) return s;
  if (name.row == StreamRow::kLapsed) return {};
  const std::string user_key = StreamKey(StreamRow::kUser, name.tenant, name.user);
  const Result<Found> row = view.Get(Cf::kStream, user_key);
  if (!row.ok()) return row.status();
  if (!*row) return Corruption("a lease has no user");
  const Result<StreamUser> user = DecodeUser(user_key, **row);
  if (!user.ok()) return user.status();
  const auto& ids = user->streams;
  if (std::count(ids.begin(), ids.end(), name.stream) == 1) return {};
  return Corruption("a lease is not named by its user");
}

class StreamSalvager {
 public:
  StreamSalvager(const KvView& from, Kv* to, const LogFn& log, Salvaged* report)
      : from_(from), to_(to), log_(log), report_(*report) {}

  Status All() {
    if (Status s = Leases(); !s.ok()) return s;
    if (Status s = Users(); !s.ok()) return s;
    if (Status s = Figures(); !s.ok()) return s;
    for (const auto& [whose, theirs] : leases_) {
      Put(StreamKey(StreamRow::kUser, whose.first, whose.second), {}, theirs);
    }
    return to_->Commit(batch_);
  }

 private:
  using Whose = std::pair<TenantId, std::string>;
  using InOrder = std::map<TimerId, StreamId>;  // of their starts

  Status Leases() {
    TolerantScan rows(from_, Cf::kStream, kLeasesFrom, kEnd, log_);
    for (; rows.Valid(); rows.Next()) {
      const auto name = ParseStreamKey(rows.key());
      const Result<Lease> lease = DecodeLease(rows.key(), rows.value());
      if (!name || !lease.ok()) {
        Skip(name ? lease.status().message() : "a key does not parse");
        continue;
      }
      const Result<bool> kept = Keep(*name, *lease);
      if (!kept.ok()) return kept.status();
      if (!*kept) continue;
      batch_.Put(Cf::kStream, rows.key(), rows.value());
      if (name->row == StreamRow::kLease) {
        ++report_.streams;
        leases_[{name->tenant, std::string(name->user)}][lease->fencing] = name->stream;
      }
      if (Status s = CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  // A lease has all that its deadline is made of, so it is kept without one: a slot is not freed
  // while somebody plays. False: it was over, and only the row that says so was lost.
  Result<bool> Keep(const StreamName& name, const Lease& lease) {
    if (name.row == StreamRow::kLease) {
      const Result<bool> lapsed = HasLapsed(name, lease);
      if (!lapsed.ok()) return lapsed;
      if (*lapsed) return false;
    }
    const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
    const Result<Found> row = to_->Get(Cf::kIds, id);
    if (!row.ok()) return row.status();
    std::optional<IdEntry> entry;
    if (*row) {
      const Result<IdEntry> read = DecodeIdEntry(id, **row);
      if (!read.ok()) return read.status();
      entry = *read;
    }
    if (entry && entry->at <= lease.expires_at) return true;
    if (!entry) {
      const Result<bool> over = IsOver(name, id);
      if (!over.ok()) return over;
      if (*over) return false;
    }
    if (Status s = MakeDeadline(name, lease, entry); !s.ok()) return s;
    return true;
  }

  // What has lapsed was alive before, and never is again.
  Result<bool> HasLapsed(const StreamName& name, const Lease& lease) {
    const std::string key = StreamKey(StreamRow::kLapsed, name.tenant, name.user, name.stream);
    const Result<Found> found = from_.Get(Cf::kStream, key);
    if (!found.ok()) return FalseIfDamaged(found.status());
    if (!*found) return false;
    const Result<Lease> lapsed = DecodeLease(key, **found);
    return lapsed.ok() && lapsed->fencing == lease.fencing;
  }

  // Its deadline went with it, and so did its name in the row of its user.
  Result<bool> IsOver(const StreamName& name, std::string_view deadline_id) {
    if (name.row != StreamRow::kLease) return false;
    const Result<Found> entry = from_.Get(Cf::kIds, deadline_id);
    if (!entry.ok()) return FalseIfDamaged(entry.status());
    if (*entry) return false;
    const std::string user_key = StreamKey(StreamRow::kUser, name.tenant, name.user);
    const Result<Found> row = from_.Get(Cf::kStream, user_key);
    if (!row.ok()) return FalseIfDamaged(row.status());
    if (!*row) return false;
    const Result<StreamUser> user = DecodeUser(user_key, **row);
    if (!user.ok()) return false;
    return std::find(user->streams.begin(), user->streams.end(), name.stream) ==
           user->streams.end();
  }

  // `later`: the one there is, behind the end of its lease.
  Status MakeDeadline(const StreamName& name, const Lease& lease,
                      const std::optional<IdEntry>& later) {
    const Timer deadline =
        DeadlineOf(lease, StreamKey(StreamRow::kLease, name.tenant, name.user, name.stream));
    if (later) {
      const Place place = PlaceOf(kLeaseTenant, lease.fencing, *later);
      batch_.Delete(place.cf, place.key);
    } else {
      ++new_deadlines_;
    }
    ++report_.deadlines_made;
    const IdEntry entry = EntryOf(deadline);
    const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
    const Place place = PlaceOf(kLeaseTenant, lease.fencing, entry);
    std::string record;
    if (Status s = EncodeTimer(place.key, deadline, &record); !s.ok()) return s;
    batch_.Put(place.cf, place.key, record);
    batch_.Put(Cf::kIds, id, EncodeIdEntry(id, entry));
    earliest_ = std::min(earliest_, lease.expires_at);
    if (log_ && report_.deadlines_made <= kMadeNamedMax) {
      log_("the deadline of a stream of user " + std::string(name.user) +
           " cannot be read, and is made of its lease");
    }
    return {};
  }

  // With the deadlines that were made.
  Status Figures() {
    if (report_.deadlines_made == 0) return {};
    const Result<Books> books = Books::Read(*to_);
    if (!books.ok()) return books.status();
    if (earliest_ < books->low()) {
      batch_.Put(Cf::kMeta, MetaKey(MetaKind::kLow),
                 ShortKey().U64(static_cast<uint64_t>(earliest_.ms)));
    }
    const uint64_t count = books->CountOf(kLeaseTenant, TimerState::kPending) + new_deadlines_;
    batch_.Put(Cf::kMeta, CountKey(kLeaseTenant, TimerState::kPending), ShortKey().U64(count));
    return {};
  }

  Status Users() {
    TolerantScan rows(from_, Cf::kStream, kUsersFrom, kLeasesFrom, log_);
    for (; rows.Valid(); rows.Next()) {
      const auto name = ParseStreamKey(rows.key());
      const Result<StreamUser> user = DecodeUser(rows.key(), rows.value());
      if (!name || !user.ok()) {
        Skip(name ? user.status().message() : "a key does not parse");
        continue;
      }
      const auto theirs = leases_.extract({name->tenant, std::string(name->user)});
      Put(rows.key(), *user, theirs ? theirs.mapped() : InOrder());
      if (Status s = CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  void Put(std::string_view key, StreamUser user, const InOrder& streams) {
    user.streams.clear();
    for (const auto& [fencing, id] : streams) user.streams.push_back(id);
    batch_.Put(Cf::kStream, key, EncodeUser(key, user));
  }

  void Skip(const std::string& why) {
    ++report_.skipped_rows;
    if (log_) log_("a row of stream is damaged and skipped: " + why);
  }

  Status CommitIfFull() {
    if (batch_.size() < kGroupOpsMax && batch_.bytes() < kGroupBytesMax) return {};
    Status s = to_->Commit(batch_);
    batch_.Clear();
    return s;
  }

  const KvView& from_;
  Kv* to_;
  const LogFn& log_;
  Salvaged& report_;
  Batch batch_;
  std::map<Whose, InOrder> leases_;  // kept, and not named by a user yet
  uint64_t new_deadlines_ = 0;       // made where there was none
  WallMs earliest_ = kWallMax;       // of those made
};

}  // namespace

Status CheckStreams(const KvView& view) {
  const auto rows = view.Scan(Cf::kStream, {}, kEnd, false);
  for (; rows->Valid(); rows->Next()) {
    const auto name = ParseStreamKey(rows->key());
    if (!name) return Corruption("stream holds a key that does not parse");
    Status s = name->row == StreamRow::kUser ? CheckUser(view, *name, rows->key(), rows->value())
                                             : CheckLease(view, *name, rows->key(), rows->value());
    if (s.code() == StatusCode::kCorruption) {
      return Corruption("user " + std::string(name->user) + ": " + s.message());
    }
    if (!s.ok()) return s;
  }
  return rows->status();
}

Status SalvageStreams(const KvView& from, Kv* to, const LogFn& log, Salvaged* report) {
  return StreamSalvager(from, to, log, report).All();
}

}  // namespace belfry
