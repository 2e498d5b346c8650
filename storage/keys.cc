#include "storage/keys.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"
#include "base/planted.h"

namespace belfry {
namespace {

constexpr uint8_t kOnceByKey = 1;
constexpr uint8_t kOnceByTime = 2;
constexpr uint8_t kStopwatchByOwner = 1;
constexpr uint8_t kStopwatchByName = 2;
constexpr char kNameEnd = '\0';

uint64_t TimeBits(WallMs t) { return static_cast<uint64_t>(std::max<int64_t>(t.ms, 0)); }
WallMs TimeFromBits(uint64_t bits) { return {static_cast<int64_t>(bits)}; }
bool IsTime(uint64_t bits) { return bits <= uint64_t{std::numeric_limits<int64_t>::max()}; }

}  // namespace

std::string_view CfName(Cf cf) {
  constexpr std::array<std::string_view, kCfCount> kNames = {
      "meta", "due", "ids", "done", "dead", "once", "parked", "stopwatch", "stream"};
  return kNames[static_cast<size_t>(cf)];
}

ShortKey TimeKey(Key key) { return ShortKey().U64(TimeBits(key.at)).U64(key.id); }

ShortKey IdKey(TenantId tenant, TimerId id) { return ShortKey().U32(tenant).U64(id); }

ShortKey DeadKey(TenantId tenant, Key key) {
  return ShortKey().U32(tenant).U64(TimeBits(key.at)).U64(key.id);
}

ShortKey ParkedKey(TargetNumber target, Key key) {
  return ShortKey().U32(target).U64(TimeBits(key.at)).U64(key.id);
}

std::string OnceKey(TenantId tenant, std::string_view idempotency_key) {
  std::string out;
  AppendU8(&out, kOnceByKey);
  AppendU32(&out, tenant);
  return out.append(idempotency_key);
}

std::string OnceTimeKey(WallMs created, TenantId tenant, std::string_view key) {
  std::string out;
  AppendU8(&out, kOnceByTime);
  AppendU64(&out, TimeBits(created));
  AppendU32(&out, tenant);
  return out.append(key);
}

std::string StopwatchKey(TenantId tenant, std::string_view name) {
  std::string out;
  out.reserve(1 + 4 + name.size() + 1);
  AppendU8(&out, kStopwatchByOwner);
  AppendU32(&out, tenant);
  out.append(name).push_back(kNameEnd);
  return out;
}

std::string StopwatchNameKey(std::string_view name, TenantId tenant) {
  std::string out;
  out.reserve(1 + name.size() + 1 + 4);
  AppendU8(&out, kStopwatchByName);
  out.append(name).push_back(kNameEnd);
  AppendU32(&out, tenant);
  return out;
}

std::string StopwatchKeysEnd(TenantId tenant) {
  if (tenant == std::numeric_limits<TenantId>::max()) return std::string(kStopwatchNameKeysFrom);
  return std::string(ShortKey().U8(kStopwatchByOwner).U32(tenant + 1));
}

std::string StopwatchNameKeysEnd(std::string_view name) {
  std::string out;
  AppendU8(&out, kStopwatchByName);
  out.append(name).push_back(Planted(Bug::kStopwatchNameUnended) ? '\x7f' : kNameEnd + 1);
  return out;
}

std::string_view StopwatchListOf(std::string_view key) {
  constexpr size_t kOwnerBytesWithKind = 1 + 4;
  if (key.size() < kOwnerBytesWithKind) return {};
  const auto kind = static_cast<uint8_t>(key[0]);
  if (kind == kStopwatchByOwner) return key.substr(0, kOwnerBytesWithKind);
  const size_t end = key.find(kNameEnd, 1);
  if (kind != kStopwatchByName || end == std::string_view::npos) return {};
  return key.substr(0, end + 1);
}

ShortKey MetaKey(MetaKind kind) { return ShortKey().U8(static_cast<uint8_t>(kind)); }

ShortKey MetaKey(MetaKind kind, TenantId tenant) {
  return ShortKey().U8(static_cast<uint8_t>(kind)).U32(tenant);
}

ShortKey ReplayKey(uint64_t number) { return MetaKey(MetaKind::kReplay).U64(number); }

ShortKey CountKey(TenantId tenant, TimerState state) {
  return MetaKey(MetaKind::kCount, tenant).U8(static_cast<uint8_t>(state));
}

ShortKey ParkedTargetKey(TargetNumber target) {
  return MetaKey(MetaKind::kParkedTarget).U32(target);
}

std::string PausedTargetKey(std::string_view name) {
  return std::string(MetaKey(MetaKind::kPausedTarget)).append(name);
}

std::string TenantNameKey(std::string_view user) {
  return std::string(MetaKey(MetaKind::kTenant)).append(user);
}

std::optional<Key> ParseTimeKey(std::string_view bytes) {
  ByteReader in(bytes);
  const uint64_t at = in.U64();
  const TimerId id = in.U64();
  if (!in.finished() || !IsTime(at)) return std::nullopt;
  return Key{TimeFromBits(at), id};
}

std::optional<TenantTimer> ParseIdKey(std::string_view bytes) {
  ByteReader in(bytes);
  TenantTimer out;
  out.tenant = in.U32();
  out.id = in.U64();
  if (!in.finished()) return std::nullopt;
  return out;
}

std::optional<TenantKey> ParseDeadKey(std::string_view bytes) {
  ByteReader in(bytes);
  TenantKey out;
  out.tenant = in.U32();
  const std::optional<Key> key = ParseTimeKey(in.rest());
  if (!in.ok() || !key) return std::nullopt;
  out.key = *key;
  return out;
}

std::optional<TargetKey> ParseParkedKey(std::string_view bytes) {
  ByteReader in(bytes);
  const TargetNumber target = in.U32();
  const std::optional<Key> key = ParseTimeKey(in.rest());
  if (!in.ok() || target == 0 || !key) return std::nullopt;
  return TargetKey{target, *key};
}

std::optional<OnceName> ParseOnceKey(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t kind = in.U8();
  OnceName out;
  out.tenant = in.U32();
  if (!in.ok() || kind != kOnceByKey) return std::nullopt;
  out.key = in.rest();
  return out;
}

std::optional<OnceTime> ParseOnceTimeKey(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t kind = in.U8();
  const uint64_t created = in.U64();
  OnceTime out;
  out.tenant = in.U32();
  if (!in.ok() || kind != kOnceByTime || !IsTime(created)) return std::nullopt;
  out.created = TimeFromBits(created);
  out.key = std::string(in.rest());
  return out;
}

std::optional<StopwatchOwner> ParseStopwatchKey(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t kind = in.U8();
  StopwatchOwner out;
  out.tenant = in.U32();
  if (!in.ok() || kind != kStopwatchByOwner) return std::nullopt;
  out.name = in.rest();
  if (out.name.empty() || out.name.find(kNameEnd) != out.name.size() - 1) return std::nullopt;
  out.name.remove_suffix(1);
  return out;
}

std::optional<StopwatchOwner> ParseStopwatchNameKey(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kStopwatchByName) return std::nullopt;
  const size_t end = in.rest().find(kNameEnd);
  if (end == std::string_view::npos) return std::nullopt;
  StopwatchOwner out;
  out.name = in.Bytes(end);
  in.U8();
  out.tenant = in.U32();
  if (!in.finished()) return std::nullopt;
  return out;
}

std::string StreamKey(StreamRow row, TenantId tenant, std::string_view user) {
  std::string out;
  out.reserve(kLeaseKeyBytesMax);
  AppendU8(&out, static_cast<uint8_t>(row));
  AppendU32(&out, tenant);
  out.append(user);
  AppendU8(&out, 0);
  return out;
}

std::string StreamKey(StreamRow row, TenantId tenant, std::string_view user, const StreamId& id) {
  std::string out = StreamKey(row, tenant, user);
  return out.append(id.bytes.begin(), id.bytes.end());
}

std::optional<StreamName> ParseStreamKey(std::string_view bytes) {
  ByteReader in(bytes);
  StreamName out;
  const uint8_t row = in.U8();
  out.row = static_cast<StreamRow>(row);
  out.tenant = in.U32();
  if (row < 1 || row > static_cast<uint8_t>(StreamRow::kLapsed)) return std::nullopt;
  const std::string_view rest = in.rest();
  const size_t end = rest.find('\0');
  if (!in.ok() || end == 0 || end == std::string_view::npos) return std::nullopt;
  out.user = rest.substr(0, end);
  const std::string_view id = rest.substr(end + 1);
  const bool names_one = out.row != StreamRow::kUser;
  if (id.size() != (names_one ? out.stream.bytes.size() : 0)) return std::nullopt;
  std::copy(id.begin(), id.end(), out.stream.bytes.begin());
  return out;
}

std::string KeyText(Key key) {
  return "(" + std::to_string(key.at.ms) + ", " + std::to_string(key.id) + ")";
}

}  // namespace belfry
