// books.h - the figures kept in `meta`: what the store knows about itself.
//
// Commit thread only. They are ahead of the disk by the batch being built: Write() puts every
// figure that changed, as an absolute value, into that batch.
//
// Invariants: (1) a count is the number of ids of the tenant above its floor in that state. (2)
// last id >= every id stored and every floor. (3) no key in `due` has a time below `low`. (4) no
// row of `done` or `dead` that an id points to is below its cursor. (5) no id of the tenant is
// below its first id. (6) a user has one tenant id for ever, and nobody else ever has it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/id.h"
#include "base/op.h"
#include "base/status.h"
#include "base/timer.h"
#include "storage/batch.h"
#include "storage/drop_rule.h"
#include "storage/keys.h"
#include "storage/kv.h"
#include "storage/store.h"
#include "storage/target_books.h"

namespace belfry {

// The layout of the whole store, kept under MetaKind::kFormat. 1 had no `parked`, 2 no `stopwatch`
// and no `stream`. An older one is read as it is and becomes this one with the next batch.
constexpr uint32_t kSchema = 3;

class Books {
 public:
  // A replay of dead timers by range that was accepted and is not done.
  struct Replay {
    DeadRange range;
    Key cursor;  // what was dead below it is done
  };

  // An empty store gives books without a store id. kCorruption names the row that does not parse.
  [[nodiscard]] static Result<Books> Read(const Kv& kv);

  // Makes an empty store one with this id (10 characters).
  void Create(std::string store_id);

  [[nodiscard]] StoreState State() const;
  [[nodiscard]] const std::string& store_id() const { return store_id_; }
  [[nodiscard]] uint64_t commit_no() const { return commit_no_; }
  [[nodiscard]] TimerId last_id() const { return last_id_; }
  [[nodiscard]] WallMs low() const { return low_; }
  [[nodiscard]] TimerId FloorOf(TenantId tenant) const;
  [[nodiscard]] bool Exists(TenantId tenant, TimerId id) const { return id > FloorOf(tenant); }
  [[nodiscard]] uint64_t CountOf(TenantId tenant, TimerState state) const;
  [[nodiscard]] bool AnyCounted() const;  // some tenant has a timer, alive or ended
  [[nodiscard]] std::vector<TenantId> Tenants() const;
  [[nodiscard]] Key done_cursor() const { return done_cursor_; }
  [[nodiscard]] Key DeadCursorOf(TenantId tenant) const;
  [[nodiscard]] WallMs once_cursor() const { return once_cursor_; }
  [[nodiscard]] std::vector<TenantId> TenantsWithDead() const;
  [[nodiscard]] TimerId FirstIdOf(TenantId tenant) const;
  [[nodiscard]] const TargetBooks& targets() const { return targets_; }
  [[nodiscard]] TargetBooks& targets() { return targets_; }
  // Null: there is none of this number. Borrowed until the next change.
  [[nodiscard]] const Replay* ReplayOf(uint64_t number) const;

  void RaiseLastId(TimerId id);
  void RaiseCommitNo(uint64_t commit_no);
  void SetLow(WallMs low);
  void SetLastSeen(WallMs last_seen);
  void SetDoneCursor(Key cursor);
  void SetDeadCursor(TenantId tenant, Key cursor);
  void SetOnceCursor(WallMs cursor);
  void SetFirstId(TenantId tenant, TimerId id);
  // kInvalid: a number that is not above those written down.
  [[nodiscard]] Status AddReplay(uint64_t number, const DeadRange& range);
  void SetReplayCursor(uint64_t number, Key cursor);
  void EndReplay(uint64_t number);
  // The id of a user, a new one when the name is new. 0: it is too long, or there is no room.
  [[nodiscard]] TenantId TenantOf(const std::string& user);
  // The next kAcceptLossTenantJump ids may have been given out, to users who are no longer known.
  void SkipTenants();
  // Raises the floor, zeroes the counts, ends the tenant's replays.
  void SetFloor(TenantId tenant, TimerId last_id);
  // kCorruption when a count would fall below zero.
  [[nodiscard]] Status Count(TenantId tenant, TimerState state, int64_t delta);

  [[nodiscard]] bool changed() const;
  // Adds what changed, and the next commit number. The batch is then committed or the store failed.
  void Write(Batch* batch);

  // What compaction may remove once everything here is durable.
  [[nodiscard]] DropBounds Bounds() const;

 private:
  struct Tenant {
    std::array<uint64_t, kStoredStates> counts{};
    TimerId floor = 0;
    TimerId first_id = 0;
    Key dead_cursor;
  };

  void PutSchema();
  [[nodiscard]] bool ReadRow(std::string_view key, std::string_view value);
  [[nodiscard]] bool ReadTenantRow(MetaKind kind, ByteReader* key, ByteReader* value);
  [[nodiscard]] bool ReadUserRow(ByteReader* key, ByteReader* value);
  void PutReplay(uint64_t number);
  void PutU64(MetaKind kind, uint64_t value);
  void PutKey(std::string_view meta_key, Key cursor);

  std::string store_id_;
  uint32_t schema_ = 0;
  uint64_t commit_no_ = 0;
  TimerId last_id_ = 0;
  WallMs low_;
  WallMs last_seen_;
  Key done_cursor_;
  WallMs once_cursor_;
  absl::flat_hash_map<TenantId, Tenant> tenants_;
  TargetBooks targets_;
  std::map<uint64_t, Replay> replays_;
  std::map<TenantId, std::string> users_;  // without `local`
  absl::flat_hash_map<std::string, TenantId> user_ids_;
  TenantId last_tenant_ = kLocalTenant;
  absl::flat_hash_set<std::pair<TenantId, TimerState>> changed_counts_;
  bool last_id_changed_ = false;
  Batch changed_;  // the other figures; counts and the last id change too often to encode each time
};

}  // namespace belfry
