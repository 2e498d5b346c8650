#include "storage/salvage_streams.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "storage/books.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"
#include "storage/salvage_copy.h"
#include "storage/stream_rows.h"
#include "storage/tolerant_scan.h"

namespace belfry {
namespace {

constexpr std::string_view kUsersFrom{"\1", 1};
constexpr std::string_view kLeasesFrom{"\2", 1};
constexpr std::string_view kLapsedFrom{"\3", 1};
constexpr uint64_t kNamedMax = 1000;
constexpr std::string_view kEnd{"\xff", 1};  // behind every key

Result<bool> FalseIfDamaged(const Status& status) {
  if (status.code() == StatusCode::kCorruption) return false;
  return status;
}

class StreamSalvager {
 public:
  StreamSalvager(const KvView& from, Kv* to, Books books, const LogFn& log, Salvaged* report)
      : from_(from),
        to_(to),
        books_(std::move(books)),
        last_seen_(books_.State().last_seen),
        log_(log),
        report_(*report) {}

  Status All() {
    if (Status s = UsersAndLeases(); !s.ok()) return s;
    if (Status s = LapsedLeases(); !s.ok()) return s;
    if (Status s = Deadlines(); !s.ok()) return s;
    if (Status s = Figures(); !s.ok()) return s;
    return to_.Commit();
  }

 private:
  using InOrder = std::map<TimerId, StreamId>;  // of their starts
  struct UserRow {
    std::string key;
    StreamUser user;
  };
  struct LeaseRow {
    std::string user_key;
    StreamId id;
    Lease lease;
  };
  struct OldLease {
    std::optional<Lease> lease;
    bool damaged = false;
  };

  // Their rows sort alike: of very many no more than those of one user are in memory.
  Status UsersAndLeases() {
    TolerantScan users(from_, Cf::kStream, kUsersFrom, kLeasesFrom, log_);
    TolerantScan leases(from_, Cf::kStream, kLeasesFrom, kLapsedFrom, log_);
    std::optional<UserRow> user = NextUser(&users);
    std::optional<LeaseRow> lease = NextLease(&leases);
    while (user || lease) {
      const bool is_next = user && (!lease || user->key <= lease->user_key);
      const std::string key = is_next ? user->key : lease->user_key;
      const StreamName whose = *ParseStreamKey(key);
      InOrder streams;
      for (; lease && lease->user_key == key; lease = NextLease(&leases)) {
        const StreamName name{StreamRow::kLease, whose.tenant, whose.user, lease->id};
        const Result<bool> kept = Keep(name, lease->lease);
        if (!kept.ok()) return kept.status();
        if (*kept) streams[lease->lease.fencing] = lease->id;
      }
      if (is_next || !streams.empty()) {
        const Result<StreamUser> row = is_next ? std::move(user->user) : OldOrMadeUser(key);
        if (!row.ok()) return row.status();
        if (Status s = PutUser(key, *row, std::move(streams)); !s.ok()) return s;
      }
      if (is_next) user = NextUser(&users);
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += users.gaps() + leases.gaps();
    return users.status().ok() ? leases.status() : users.status();
  }

  // The next that is whole.
  std::optional<UserRow> NextUser(TolerantScan* rows) {
    std::optional<UserRow> next;
    for (; !next && rows->Valid(); rows->Next()) {
      const auto name = ParseStreamKey(rows->key());
      Result<StreamUser> user = DecodeUser(rows->key(), rows->value());
      if (name && user.ok()) {
        next = UserRow{std::string(rows->key()), std::move(*user)};
      } else {
        Skip(name ? user.status().message() : "a key does not parse");
      }
    }
    return next;
  }

  std::optional<LeaseRow> NextLease(TolerantScan* rows) {
    std::optional<LeaseRow> next;
    for (; !next && rows->Valid(); rows->Next()) {
      const auto name = ParseStreamKey(rows->key());
      Result<Lease> lease = DecodeLease(rows->key(), rows->value());
      if (name && lease.ok()) {
        next = LeaseRow{UserKeyOf(*name), name->stream, std::move(*lease)};
      } else {
        Skip(name ? lease.status().message() : "a key does not parse");
      }
    }
    return next;
  }

  Status LapsedLeases() {
    TolerantScan rows(from_, Cf::kStream, kLapsedFrom, kEnd, log_);
    while (const std::optional<LeaseRow> row = NextLease(&rows)) {
      const StreamName whose = *ParseStreamKey(row->user_key);
      const StreamName name{StreamRow::kLapsed, whose.tenant, whose.user, row->id};
      if (const auto kept = Keep(name, row->lease); !kept.ok()) return kept.status();
      if (Status s = to_.CommitIfFull(); !s.ok()) return s;
    }
    report_.skipped_stretches += rows.gaps();
    return rows.status();
  }

  // A lease has all that its deadline is made of, so it is kept without one: a slot is not freed
  // while somebody plays. False: it was over, and only the row that says so was lost.
  Result<bool> Keep(const StreamName& name, Lease lease) {
    if (name.row == StreamRow::kLease) {
      const Result<bool> lapsed = HasLapsed(name, lease);
      if (!lapsed.ok()) return lapsed;
      if (*lapsed) return false;
    }
    const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
    const Result<Found> row = to_.Get(Cf::kIds, id);
    if (!row.ok()) return row.status();
    std::optional<IdEntry> entry;
    if (*row) {
      const Result<IdEntry> read = DecodeIdEntry(id, **row);
      if (!read.ok()) return read.status();
      entry = *read;
    }
    if (!entry) {
      const Result<bool> over = IsOver(name, id);
      if (!over.ok()) return over;
      if (*over) return false;
    }
    if (entry && name.row == StreamRow::kLease) RaiseTo(entry->at, name, &lease);
    if (!entry || entry->at > lease.expires_at) {
      if (Status s = MakeDeadline(name, lease, entry); !s.ok()) return s;
    }
    const std::string key = StreamKey(name.row, name.tenant, name.user, name.stream);
    to_.Put(Cf::kStream, key, EncodeLease(key, lease));
    if (name.row == StreamRow::kLease) ++report_.streams;
    return true;
  }

  // What has lapsed was alive before, and never is again.
  Result<bool> HasLapsed(const StreamName& name, const Lease& lease) {
    const Result<OldLease> lapsed = OldLeaseOf(StreamRow::kLapsed, name);
    if (!lapsed.ok()) return lapsed.status();
    return lapsed->lease && lapsed->lease->fencing == lease.fencing;
  }

  // Its deadline went with it, and so did its name in the row of its user.
  Result<bool> IsOver(const StreamName& name, std::string_view deadline_id) {
    if (name.row != StreamRow::kLease) return false;
    const Result<Found> entry = from_.Get(Cf::kIds, deadline_id);
    if (!entry.ok()) return FalseIfDamaged(entry.status());
    if (*entry) return false;
    const auto user = OldUser(UserKeyOf(name));
    if (!user.ok()) return user.status();
    return *user && !Names(**user, name.stream);
  }

  // A deadline moves to a later time only when it is met and its lease lasts until then. So what is
  // before its deadline is an older row of the lease, and somebody may play by the newer one. But a
  // clock that was set back moves both to an earlier time: what no renewal can have promised since
  // the clock was written down last is not believed.
  void RaiseTo(WallMs deadline, const StreamName& name, Lease* lease) {
    const WallMs latest = last_seen_ + kLastSeenIntervalMs + lease->ttl_ms;
    const WallMs until = std::min(deadline, latest);
    if (until <= lease->expires_at) return;
    lease->expires_at = until;
    if (log_ && ++raised_ <= kNamedMax) {
      log_("the last renewal of a stream of user " + std::string(name.user) +
           " cannot be read: its deadline says how long it lasts");
    }
  }

  // `later`: the one there is, behind the end of its lease.
  Status MakeDeadline(const StreamName& name, const Lease& lease,
                      const std::optional<IdEntry>& later) {
    const Timer deadline =
        DeadlineOf(lease, StreamKey(StreamRow::kLease, name.tenant, name.user, name.stream));
    if (later) {
      const Place place = PlaceOf(kLeaseTenant, lease.fencing, *later);
      to_.Delete(place.cf, place.key);
    } else {
      ++new_deadlines_;
    }
    ++report_.deadlines_made;
    const IdEntry entry = EntryOf(deadline);
    const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
    const Place place = PlaceOf(kLeaseTenant, lease.fencing, entry);
    std::string record;
    if (Status s = EncodeTimer(place.key, deadline, &record); !s.ok()) return s;
    to_.Put(place.cf, place.key, record);
    to_.Put(Cf::kIds, id, EncodeIdEntry(id, entry));
    earliest_ = std::min(earliest_, lease.expires_at);
    if (log_ && report_.deadlines_made <= kNamedMax) {
      log_("the deadline of a stream of user " + std::string(name.user) +
           " cannot be read, and is made of its lease");
    }
    return {};
  }

  // With the deadlines that were made.
  Status Figures() {
    if (report_.deadlines_made == 0) return {};
    if (earliest_ < books_.low()) {
      to_.Put(Cf::kMeta, MetaKey(MetaKind::kLow),
              ShortKey().U64(static_cast<uint64_t>(earliest_.ms)));
    }
    const uint64_t count = books_.CountOf(kLeaseTenant, TimerState::kPending) + new_deadlines_;
    to_.Put(Cf::kMeta, CountKey(kLeaseTenant, TimerState::kPending), ShortKey().U64(count));
    return {};
  }

  // With the streams that `user` names and no scan met.
  Status PutUser(std::string_view key, StreamUser user, InOrder streams) {
    const StreamName whose = *ParseStreamKey(key);
    for (const StreamId& id : user.streams) {
      const bool met = std::any_of(streams.begin(), streams.end(),
                                   [&](const auto& stream) { return stream.second == id; });
      if (met) continue;
      const StreamName name{StreamRow::kLease, whose.tenant, whose.user, id};
      const Result<OldLease> alive = OldLeaseOf(StreamRow::kLease, name);
      if (!alive.ok()) return alive.status();
      const Result<bool> kept = alive->lease ? Keep(name, *alive->lease) : KeepLapsed(name);
      if (!kept.ok()) return kept.status();
      if (alive->lease && *kept) streams[alive->lease->fencing] = id;
      if (!alive->lease && !*kept) SayLost(name);
    }
    Put(key, std::move(user), streams);
    return {};
  }

  void Put(std::string_view key, StreamUser user, const InOrder& streams) {
    user.streams.clear();
    for (const auto& [fencing, id] : streams) user.streams.push_back(id);
    to_.Put(Cf::kStream, key, EncodeUser(key, user));
  }

  // False: there is none that can be read.
  Result<bool> KeepLapsed(StreamName name) {
    name.row = StreamRow::kLapsed;
    const Result<OldLease> lapsed = OldLeaseOf(StreamRow::kLapsed, name);
    if (!lapsed.ok()) return lapsed.status();
    return lapsed->lease ? Keep(name, *lapsed->lease) : Result<bool>(false);
  }

  // A deadline goes with its lease. So where one is left, a lease that no scan met is asked for by
  // its key, alive or lapsed.
  Status Deadlines() {
    TimerId from = 0;
    for (;;) {
      if (Status s = to_.Commit(); !s.ok()) return s;
      const Result<std::vector<std::string>> keys = LeasesOfDeadlines(&from);
      if (!keys.ok()) return keys.status();
      if (keys->empty()) return {};
      for (const std::string& key : *keys) {
        const auto name = ParseStreamKey(key);
        if (!name || name->row != StreamRow::kLease) continue;
        if (Status s = FollowDeadline(*name); !s.ok()) return s;
        if (Status s = to_.CommitIfFull(); !s.ok()) return s;
      }
    }
  }

  // The keys that the next deadlines name. No view is held while others are committed.
  Result<std::vector<std::string>> LeasesOfDeadlines(TimerId* from) {
    std::vector<std::string> keys;
    const auto view = to_.kv()->View();
    const auto rows = view->Scan(Cf::kIds, IdKey(kLeaseTenant, *from),
                                 IdKey(kLeaseTenant, std::numeric_limits<TimerId>::max()), false);
    for (; rows->Valid() && keys.size() < kGroupOpsMax; rows->Next()) {
      const TimerId id = ParseIdKey(rows->key())->id;
      const Result<IdEntry> entry = DecodeIdEntry(rows->key(), rows->value());
      if (!entry.ok()) return entry.status();
      const Place place = PlaceOf(kLeaseTenant, id, *entry);
      const Result<Found> record = view->Get(place.cf, place.key);
      if (!record.ok()) return record.status();
      const Result<TimerPtr> deadline =
          *record ? DecodeTimer(place.key, **record) : Corruption("a deadline has no record");
      if (!deadline.ok()) return deadline.status();
      keys.push_back(std::move((*deadline)->body));
      *from = id + 1;
    }
    if (!rows->status().ok()) return rows->status();
    return keys;
  }

  Status FollowDeadline(const StreamName& name) {
    for (const StreamRow row : {StreamRow::kLease, StreamRow::kLapsed}) {
      const Result<Found> kept =
          to_.Get(Cf::kStream, StreamKey(row, name.tenant, name.user, name.stream));
      if (!kept.ok()) return kept.status();
      if (*kept) return row == StreamRow::kLapsed ? KeepUser(UserKeyOf(name)) : Status();
    }
    const Result<bool> lapsed = KeepLapsed(name);
    if (!lapsed.ok()) return lapsed.status();
    if (Status s = KeepUser(UserKeyOf(name)); !s.ok() || *lapsed) return s;
    const Result<Found> named =
        to_.Get(Cf::kStream, StreamKey(StreamRow::kLease, name.tenant, name.user, name.stream));
    if (!named.ok() || *named) return named.status();
    const Result<OldLease> alive = OldLeaseOf(StreamRow::kLease, name);
    if (!alive.ok()) return alive.status();
    return alive->lease ? KeepUnnamed(name, *alive->lease) : NameIfLost(name, alive->damaged);
  }

  // Of whom no row was met: the streams they name are kept with them.
  Status KeepUser(std::string_view key) {
    const Result<Found> kept = to_.Get(Cf::kStream, key);
    if (!kept.ok() || *kept) return kept.status();
    const auto user = OldUser(key);
    if (!user.ok() || !*user) return user.status();
    return PutUser(key, **user, {});
  }

  Status KeepUnnamed(const StreamName& name, const Lease& lease) {
    const Result<bool> kept = Keep(name, lease);
    if (!kept.ok() || !*kept) return kept.status();
    InOrder streams = {{lease.fencing, name.stream}};
    const std::string key = UserKeyOf(name);
    const Result<Found> row = to_.Get(Cf::kStream, key);
    if (!row.ok()) return row.status();
    const Result<StreamUser> user = *row ? DecodeUser(key, **row) : OldOrMadeUser(key);
    if (!user.ok()) return user.status();
    for (const StreamId& id : user->streams) {
      const std::string lease_key = StreamKey(StreamRow::kLease, name.tenant, name.user, id);
      const Result<Found> other = to_.Get(Cf::kStream, lease_key);
      if (!other.ok()) return other.status();
      const Result<Lease> known = DecodeLease(lease_key, other->value_or(""));
      if (!known.ok()) return known.status();
      streams[known->fencing] = id;
    }
    Put(key, *user, streams);
    return {};
  }

  // Of a deadline without a lease. What a user names and has none was named before; where nothing
  // speaks for it, it was over.
  Status NameIfLost(const StreamName& name, bool damaged) {
    const auto user = OldUser(UserKeyOf(name));
    if (!user.ok()) return user.status();
    if (*user && Names(**user, name.stream)) return {};
    const Result<OldLease> lapsed = OldLeaseOf(StreamRow::kLapsed, name);
    if (!lapsed.ok()) return lapsed.status();
    if (!*user || damaged || lapsed->damaged) SayLost(name);
    return {};
  }

  Result<OldLease> OldLeaseOf(StreamRow row, const StreamName& name) {
    const std::string key = StreamKey(row, name.tenant, name.user, name.stream);
    const Result<Found> found = from_.Get(Cf::kStream, key);
    if (!found.ok() && found.status().code() != StatusCode::kCorruption) return found.status();
    if (found.ok() && !*found) return OldLease();
    Result<Lease> lease = found.ok() ? DecodeLease(key, **found) : Result<Lease>(found.status());
    return lease.ok() ? OldLease{std::move(*lease), false} : OldLease{std::nullopt, true};
  }

  // nullopt: it is not there, or cannot be read.
  Result<std::optional<StreamUser>> OldUser(std::string_view key) {
    const Result<Found> found = ReadIfReadable(from_, Cf::kStream, key);
    if (!found.ok()) return found.status();
    if (!*found) return std::optional<StreamUser>();
    Result<StreamUser> user = DecodeUser(key, **found);
    return user.ok() ? std::optional(std::move(*user)) : std::nullopt;
  }

  Result<StreamUser> OldOrMadeUser(std::string_view key) {
    Result<std::optional<StreamUser>> user = OldUser(key);
    if (!user.ok()) return user.status();
    if (*user) return std::move(**user);
    if (++report_.users_made <= kNamedMax && log_) {
      log_("the row of user " + std::string(ParseStreamKey(key)->user) +
           " cannot be read, and is made of their streams: a limit of their own is lost");
    }
    return StreamUser();
  }

  static std::string UserKeyOf(const StreamName& name) {
    return StreamKey(StreamRow::kUser, name.tenant, name.user);
  }
  static bool Names(const StreamUser& user, const StreamId& id) {
    return std::find(user.streams.begin(), user.streams.end(), id) != user.streams.end();
  }

  void SayLost(const StreamName& name) {
    if (++report_.streams_lost <= kNamedMax && log_) {
      log_("a stream of user " + std::string(name.user) + " is lost: its lease cannot be read");
    }
  }

  void Skip(const std::string& why) {
    ++report_.skipped_rows;
    if (log_) log_("a row of stream is damaged and skipped: " + why);
  }

  const KvView& from_;
  SalvageCopy to_;
  const Books books_;  // of `to_`, without the deadlines that are made
  const WallMs last_seen_;
  const LogFn& log_;
  Salvaged& report_;
  uint64_t new_deadlines_ = 0;  // made where there was none
  uint64_t raised_ = 0;         // leases that last longer than their rows say
  WallMs earliest_ = kWallMax;  // of those made
};

}  // namespace

Status SalvageStreams(const KvView& from, Kv* to, const LogFn& log, Salvaged* report) {
  Result<Books> books = Books::Read(*to);
  if (!books.ok()) return books.status();
  return StreamSalvager(from, to, std::move(*books), log, report).All();
}

}  // namespace belfry
