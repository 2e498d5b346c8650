#include "storage/books.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace belfry {
namespace {

constexpr size_t kStoreIdBytes = 10;

size_t Slot(TimerState state) { return static_cast<size_t>(state) - 1; }
uint64_t Bits(WallMs t) { return static_cast<uint64_t>(t.ms); }
WallMs Time(uint64_t bits) { return {static_cast<int64_t>(bits)}; }

Key ReadKey(ByteReader* in) {
  Key key;
  key.at = Time(in->U64());
  key.id = in->U64();
  return key;
}

// tenant u32, flags u8, due_after u64, due_before u64, finished_before u64, cursor u64 u64
constexpr uint8_t kHasDueAfter = 1;
constexpr uint8_t kHasDueBefore = 2;

std::string EncodeReplay(const Books::Replay& replay) {
  const DeadRange& range = replay.range;
  std::string out;
  AppendU32(&out, range.tenant);
  AppendU8(&out, (range.due_after ? kHasDueAfter : 0) | (range.due_before ? kHasDueBefore : 0));
  for (const WallMs t : {range.due_after.value_or(WallMs{}), range.due_before.value_or(WallMs{}),
                         range.finished_before, replay.cursor.at}) {
    AppendU64(&out, Bits(t));
  }
  AppendU64(&out, replay.cursor.id);
  return out;
}

void ReadReplay(ByteReader* in, Books::Replay* replay) {
  DeadRange& range = replay->range;
  range.tenant = in->U32();
  const uint8_t flags = in->U8();
  const WallMs due_after = Time(in->U64());
  const WallMs due_before = Time(in->U64());
  if (flags & kHasDueAfter) range.due_after = due_after;
  if (flags & kHasDueBefore) range.due_before = due_before;
  range.finished_before = Time(in->U64());
  replay->cursor = ReadKey(in);
}

}  // namespace

Result<Books> Books::Read(const Kv& kv) {
  Books books;
  const auto view = kv.View();
  const auto rows = view->Scan(Cf::kMeta, {}, "\xff");
  for (; rows->Valid(); rows->Next()) {
    if (!books.ReadRow(rows->key(), rows->value())) {
      const int kind = rows->key().empty() ? 0 : static_cast<uint8_t>(rows->key()[0]);
      return Corruption("meta row of kind " + std::to_string(kind) + " does not parse");
    }
  }
  if (!rows->status().ok()) return rows->status();
  if (books.store_id_.empty() != (books.commit_no_ == 0)) {
    return Corruption("meta lacks the store id or the commit number");
  }
  if (!books.store_id_.empty() && books.schema_ < kSchema) books.PutSchema();
  // A floor may be ahead of the counter only if the counter was damaged: never give an id twice.
  for (const auto& [tenant, t] : books.tenants_) books.last_id_ = std::max(books.last_id_, t.floor);
  return books;
}

bool Books::ReadRow(std::string_view key, std::string_view value) {
  ByteReader name(key);
  ByteReader in(value);
  const auto kind = static_cast<MetaKind>(name.U8());
  switch (kind) {
    case MetaKind::kFormat:
      schema_ = in.U32();
      if (schema_ == 0 || schema_ > kSchema) return false;
      break;
    case MetaKind::kStoreId:
      store_id_ = std::string(in.Bytes(kStoreIdBytes));
      break;
    case MetaKind::kCommitNo:
      commit_no_ = in.U64();
      break;
    case MetaKind::kLastId:
      last_id_ = in.U64();
      break;
    case MetaKind::kLow:
      low_ = Time(in.U64());
      break;
    case MetaKind::kLastSeen:
      last_seen_ = Time(in.U64());
      break;
    case MetaKind::kDoneCursor:
      done_cursor_ = ReadKey(&in);
      break;
    case MetaKind::kOnceCursor:
      once_cursor_ = Time(in.U64());
      break;
    case MetaKind::kReplay:
      ReadReplay(&in, &replays_[name.U64()]);
      break;
    case MetaKind::kCount:
    case MetaKind::kFloor:
    case MetaKind::kFirstId:
    case MetaKind::kDeadCursor:
      if (!ReadTenantRow(kind, &name, &in)) return false;
      break;
    case MetaKind::kTenant:
      if (!ReadUserRow(&name, &in)) return false;
      break;
    case MetaKind::kTenantNumber:
      last_tenant_ = std::max(last_tenant_, in.U32());
      break;
    case MetaKind::kParkedTarget:
    case MetaKind::kParkedNumber:
    case MetaKind::kPausedAll:
    case MetaKind::kPausedTarget:
      if (!targets_.ReadRow(kind, &name, &in)) return false;
      break;
    default:
      return false;
  }
  return name.finished() && in.finished();
}

bool Books::ReadTenantRow(MetaKind kind, ByteReader* key, ByteReader* value) {
  Tenant& tenant = tenants_[key->U32()];
  if (kind == MetaKind::kFloor) {
    tenant.floor = value->U64();
  } else if (kind == MetaKind::kFirstId) {
    tenant.first_id = value->U64();
  } else if (kind == MetaKind::kDeadCursor) {
    tenant.dead_cursor = ReadKey(value);
  } else {
    const uint8_t state = key->U8();
    if (state < 1 || state > kStoredStates) return false;
    tenant.counts[state - 1] = value->U64();
  }
  return true;
}

bool Books::ReadUserRow(ByteReader* key, ByteReader* value) {
  const std::string user(key->Bytes(key->rest().size()));
  const TenantId tenant = value->U32();
  if (user.empty() || user == kLocalUser || tenant <= kLocalTenant) return false;
  user_ids_[user] = tenant;
  last_tenant_ = std::max(last_tenant_, tenant);
  return users_.emplace(tenant, user).second;
}

void Books::Create(std::string store_id) {
  CHECK(store_id_.empty() && store_id.size() == kStoreIdBytes);
  store_id_ = std::move(store_id);
  PutSchema();
  changed_.Put(Cf::kMeta, MetaKey(MetaKind::kStoreId), store_id_);
}

void Books::PutSchema() {
  changed_.Put(Cf::kMeta, MetaKey(MetaKind::kFormat), ShortKey().U32(kSchema));
}

StoreState Books::State() const {
  StoreState state;
  state.store_id = store_id_;
  state.last_id = last_id_;
  state.low = low_;
  state.last_seen = last_seen_;
  for (const auto& [tenant, t] : tenants_) {
    if (t.floor > 0) state.floors.emplace_back(tenant, t.floor);
  }
  std::sort(state.floors.begin(), state.floors.end());
  state.parked_targets = targets_.Parked();
  state.paused_all = targets_.paused_all();
  state.paused_targets = targets_.Paused();
  for (const auto& [number, replay] : replays_) state.replays.push_back(number);
  state.tenants.assign(users_.begin(), users_.end());
  return state;
}

TimerId Books::FloorOf(TenantId tenant) const {
  const auto it = tenants_.find(tenant);
  return it == tenants_.end() ? 0 : it->second.floor;
}

uint64_t Books::CountOf(TenantId tenant, TimerState state) const {
  const auto it = tenants_.find(tenant);
  return it == tenants_.end() ? 0 : it->second.counts[Slot(state)];
}

bool Books::AnyCounted() const {
  for (const auto& [tenant, t] : tenants_) {
    if (t.counts != decltype(t.counts){}) return true;
  }
  return false;
}

std::vector<TenantId> Books::Tenants() const {
  std::vector<TenantId> out;
  for (const auto& [tenant, t] : tenants_) out.push_back(tenant);
  std::sort(out.begin(), out.end());
  return out;
}

Key Books::DeadCursorOf(TenantId tenant) const {
  const auto it = tenants_.find(tenant);
  return it == tenants_.end() ? Key{} : it->second.dead_cursor;
}

TimerId Books::FirstIdOf(TenantId tenant) const {
  const auto it = tenants_.find(tenant);
  return it == tenants_.end() ? 0 : it->second.first_id;
}

const Books::Replay* Books::ReplayOf(uint64_t number) const {
  const auto it = replays_.find(number);
  return it == replays_.end() ? nullptr : &it->second;
}

std::vector<TenantId> Books::TenantsWithDead() const {
  std::vector<TenantId> out;
  for (const auto& [tenant, t] : tenants_) {
    if (t.counts[Slot(TimerState::kDead)] > 0) out.push_back(tenant);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void Books::PutU64(MetaKind kind, uint64_t value) {
  changed_.Put(Cf::kMeta, MetaKey(kind), ShortKey().U64(value));
}

void Books::PutKey(std::string_view meta_key, Key cursor) {
  changed_.Put(Cf::kMeta, meta_key, ShortKey().U64(Bits(cursor.at)).U64(cursor.id));
}

void Books::RaiseLastId(TimerId id) {
  if (id <= last_id_) return;
  last_id_ = id;
  last_id_changed_ = true;
}

void Books::RaiseCommitNo(uint64_t commit_no) { commit_no_ = std::max(commit_no_, commit_no); }

void Books::SetLow(WallMs low) {
  low_ = low;
  PutU64(MetaKind::kLow, Bits(low));
}

void Books::SetLastSeen(WallMs last_seen) {
  last_seen_ = last_seen;
  PutU64(MetaKind::kLastSeen, Bits(last_seen));
}

void Books::SetDoneCursor(Key cursor) {
  done_cursor_ = cursor;
  PutKey(MetaKey(MetaKind::kDoneCursor), cursor);
}

void Books::SetDeadCursor(TenantId tenant, Key cursor) {
  tenants_[tenant].dead_cursor = cursor;
  PutKey(MetaKey(MetaKind::kDeadCursor, tenant), cursor);
}

void Books::SetOnceCursor(WallMs cursor) {
  once_cursor_ = cursor;
  PutU64(MetaKind::kOnceCursor, Bits(cursor));
}

void Books::SetFirstId(TenantId tenant, TimerId id) {
  tenants_[tenant].first_id = id;
  changed_.Put(Cf::kMeta, MetaKey(MetaKind::kFirstId, tenant), ShortKey().U64(id));
}

Status Books::AddReplay(uint64_t number, const DeadRange& range) {
  if (!replays_.empty() && number <= replays_.rbegin()->first) {
    return Invalid("replay " + std::to_string(number) + ": the number was given before");
  }
  replays_[number].range = range;
  PutReplay(number);
  return {};
}

void Books::SetReplayCursor(uint64_t number, Key cursor) {
  replays_.at(number).cursor = cursor;
  PutReplay(number);
}

void Books::PutReplay(uint64_t number) {
  changed_.Put(Cf::kMeta, ReplayKey(number), EncodeReplay(replays_.at(number)));
}

void Books::EndReplay(uint64_t number) {
  replays_.erase(number);
  changed_.Delete(Cf::kMeta, ReplayKey(number));
}

TenantId Books::TenantOf(const std::string& user) {
  if (user == kLocalUser) return kLocalTenant;
  const auto known = user_ids_.find(user);
  if (known != user_ids_.end()) return known->second;
  if (user.empty() || user.size() > kUserNameBytesMax || users_.size() >= kTenantsMax) return 0;
  const TenantId tenant = ++last_tenant_;
  CHECK(tenant != kLeaseTenant);
  users_.emplace(tenant, user);
  user_ids_.emplace(user, tenant);
  changed_.Put(Cf::kMeta, TenantNameKey(user), ShortKey().U32(tenant));
  return tenant;
}

void Books::SkipTenants() {
  last_tenant_ += kAcceptLossTenantJump;
  changed_.Put(Cf::kMeta, MetaKey(MetaKind::kTenantNumber), ShortKey().U32(last_tenant_));
}

void Books::SetFloor(TenantId tenant, TimerId last_id) {
  Tenant& t = tenants_[tenant];
  t.floor = std::max(t.floor, last_id);
  changed_.Put(Cf::kMeta, MetaKey(MetaKind::kFloor, tenant), ShortKey().U64(t.floor));
  RaiseLastId(t.floor);
  std::vector<uint64_t> over;
  for (const auto& [number, replay] : replays_) {
    if (replay.range.tenant == tenant) over.push_back(number);
  }
  for (const uint64_t number : over) EndReplay(number);
  for (int i = 0; i < kStoredStates; ++i) {
    t.counts[i] = 0;
    changed_counts_.emplace(tenant, static_cast<TimerState>(i + 1));
  }
}

Status Books::Count(TenantId tenant, TimerState state, int64_t delta) {
  uint64_t& count = tenants_[tenant].counts[Slot(state)];
  if (delta < 0 && count < static_cast<uint64_t>(-delta)) {
    return Corruption("the count of " + std::string(StateName(state)) + " timers of tenant " +
                      std::to_string(tenant) + " would fall below zero");
  }
  count += static_cast<uint64_t>(static_cast<int64_t>(delta));
  changed_counts_.emplace(tenant, state);
  return {};
}

bool Books::changed() const {
  return !changed_.empty() || !changed_counts_.empty() || last_id_changed_ || targets_.changed();
}

void Books::Write(Batch* batch) {
  batch->Append(changed_);
  targets_.Write(batch);
  for (const auto& [tenant, state] : changed_counts_) {
    batch->Put(Cf::kMeta, CountKey(tenant, state),
               ShortKey().U64(tenants_[tenant].counts[Slot(state)]));
  }
  if (last_id_changed_) {
    batch->Put(Cf::kMeta, MetaKey(MetaKind::kLastId), ShortKey().U64(last_id_));
  }
  batch->Put(Cf::kMeta, MetaKey(MetaKind::kCommitNo), ShortKey().U64(++commit_no_));
  changed_.Clear();
  changed_counts_.clear();
  last_id_changed_ = false;
}

DropBounds Books::Bounds() const {
  DropBounds bounds;
  bounds.done_below = done_cursor_;
  for (const auto& [tenant, t] : tenants_) {
    if (t.floor > 0) bounds.floors[tenant] = t.floor;
    if (t.dead_cursor != Key{}) bounds.dead_below[tenant] = t.dead_cursor;
  }
  return bounds;
}

}  // namespace belfry
