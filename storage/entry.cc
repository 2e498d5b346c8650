#include "storage/entry.h"

#include <utility>

#include "storage/bytes.h"
#include "storage/sealed.h"

namespace belfry {
namespace {

constexpr uint8_t kEntryVersion = 1;
constexpr uint8_t kParkedEntryVersion = 2;
constexpr size_t kIdEntryBytes = 1 + 8 + 8;
constexpr size_t kTargetNumberBytes = 4;
constexpr size_t kOnceEntryBytes = 4 * 8;
constexpr size_t kStopwatchBytes = 8;

uint8_t VersionOf(std::string_view bytes) { return ByteReader(bytes).U8(); }

}  // namespace

IdEntry EntryOf(const Timer& t, TargetNumber parked) {
  if (!IsAlive(t.state)) return {t.state, t.finished, t.due, 0};
  return {t.state, t.next_attempt, t.due, parked};
}

Place PlaceOf(TenantId tenant, TimerId id, const IdEntry& entry) {
  const Key at{entry.at, id};
  if (entry.parked != 0) return {Cf::kParked, ParkedKey(entry.parked, at)};
  if (IsAlive(entry.state)) return {Cf::kDue, TimeKey(at)};
  if (entry.state == TimerState::kDead) return {Cf::kDead, DeadKey(tenant, at)};
  return {Cf::kDone, TimeKey(at)};
}

std::string EncodeIdEntry(std::string_view key, const IdEntry& entry) {
  const bool parked = entry.parked != 0;
  std::string out = Unsealed(kIdEntryBytes + (parked ? kTargetNumberBytes : 0));
  AppendU8(&out, static_cast<uint8_t>(entry.state));
  AppendU64(&out, static_cast<uint64_t>(entry.at.ms));
  AppendU64(&out, static_cast<uint64_t>(entry.due.ms));
  if (parked) AppendU32(&out, entry.parked);
  return Seal(parked ? kParkedEntryVersion : kEntryVersion, key, std::move(out));
}

Result<IdEntry> DecodeIdEntry(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes, kParkedEntryVersion, "entry");
  if (!fields.ok()) return fields.status();
  const bool parked = VersionOf(bytes) == kParkedEntryVersion;
  ByteReader in(*fields);
  IdEntry entry;
  const uint8_t state = in.U8();
  entry.at.ms = static_cast<int64_t>(in.U64());
  entry.due.ms = static_cast<int64_t>(in.U64());
  if (parked) entry.parked = in.U32();
  if (!in.finished() || state < 1 || state > kStoredStates) return Corruption("entry is malformed");
  entry.state = static_cast<TimerState>(state);
  if (parked && (entry.parked == 0 || !IsAlive(entry.state))) {
    return Corruption("entry is malformed");
  }
  return entry;
}

std::string EncodeOnceEntry(std::string_view key, const OnceEntry& entry) {
  std::string out = Unsealed(kOnceEntryBytes);
  AppendU64(&out, entry.id);
  AppendU64(&out, static_cast<uint64_t>(entry.created.ms));
  AppendU64(&out, entry.request.first);
  AppendU64(&out, entry.request.second);
  return Seal(kEntryVersion, key, std::move(out));
}

Result<OnceEntry> DecodeOnceEntry(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes, kEntryVersion, "entry");
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  OnceEntry entry;
  entry.id = in.U64();
  entry.created.ms = static_cast<int64_t>(in.U64());
  entry.request.first = in.U64();
  entry.request.second = in.U64();
  if (!in.finished()) return Corruption("entry is malformed");
  return entry;
}

std::string EncodeStopwatch(std::string_view key, WallMs started_at) {
  std::string out = Unsealed(kStopwatchBytes);
  AppendU64(&out, static_cast<uint64_t>(started_at.ms));
  return Seal(kEntryVersion, key, std::move(out));
}

Result<WallMs> DecodeStopwatch(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes, kEntryVersion, "entry");
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  const WallMs started_at{static_cast<int64_t>(in.U64())};
  if (!in.finished()) return Corruption("entry is malformed");
  return started_at;
}

}  // namespace belfry
