#include "storage/stream_rows.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "storage/bytes.h"
#include "storage/sealed.h"

namespace belfry {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kHasLimit = 1;
constexpr size_t kUserBytesExpected = 32;
constexpr size_t kLeaseBytesExpected = 64;

void AppendTime(std::string* out, WallMs t) { AppendVarint(out, static_cast<uint64_t>(t.ms)); }
WallMs ReadTime(ByteReader* in) { return {static_cast<int64_t>(in->Varint())}; }
bool IsTime(WallMs t) { return t.ms >= 0 && t <= kWallMax; }

bool Plausible(const Lease& lease) {
  return IsTime(lease.started_at) && IsTime(lease.expires_at) && lease.fencing != 0 &&
         lease.ttl_ms > 0 && lease.ttl_ms <= kStreamTtlMsMax &&
         lease.content.size() <= kStreamContentBytesMax && lease.on_expire.size() <= kUrlBytesMax;
}

}  // namespace

std::string EncodeUser(std::string_view key, const StreamUser& user) {
  std::string out = Unsealed(kUserBytesExpected + user.streams.size() * sizeof(StreamId));
  AppendU8(&out, user.limit ? kHasLimit : 0);
  if (user.limit) AppendVarint(&out, *user.limit);
  AppendTime(&out, user.last_online);
  AppendVarint(&out, user.streams.size());
  for (const StreamId& id : user.streams) out.append(id.bytes.begin(), id.bytes.end());
  return Seal(kVersion, key, std::move(out));
}

Result<StreamUser> DecodeUser(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes, kVersion, "user");
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  StreamUser user;
  const uint8_t flags = in.U8();
  if (flags & kHasLimit) user.limit = static_cast<uint32_t>(in.Varint());
  user.last_online = ReadTime(&in);
  const uint64_t count = in.Varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    StreamId id;
    const std::string_view id_bytes = in.Bytes(id.bytes.size());
    std::copy(id_bytes.begin(), id_bytes.end(), id.bytes.begin());
    user.streams.push_back(id);
  }
  if (!in.finished() || flags > kHasLimit || !IsTime(user.last_online)) {
    return Corruption("user is malformed");
  }
  return user;
}

std::string EncodeLease(std::string_view key, const Lease& lease) {
  std::string out = Unsealed(kLeaseBytesExpected + lease.content.size() + lease.on_expire.size());
  AppendString(&out, lease.content);
  AppendTime(&out, lease.started_at);
  AppendTime(&out, lease.expires_at);
  AppendVarint(&out, static_cast<uint64_t>(lease.ttl_ms));
  AppendVarint(&out, lease.fencing);
  AppendString(&out, lease.on_expire);
  return Seal(kVersion, key, std::move(out));
}

Result<Lease> DecodeLease(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes, kVersion, "lease");
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  Lease lease;
  lease.content = in.String();
  lease.started_at = ReadTime(&in);
  lease.expires_at = ReadTime(&in);
  lease.ttl_ms = static_cast<int64_t>(in.Varint());
  lease.fencing = in.Varint();
  lease.on_expire = in.String();
  if (!in.finished() || !Plausible(lease)) return Corruption("lease is malformed");
  return lease;
}

Timer DeadlineOf(const Lease& lease, std::string key) {
  Timer timer;
  timer.id = lease.fencing;
  timer.tenant = kLeaseTenant;
  timer.kind = TimerKind::kLease;
  timer.due = timer.next_attempt = lease.expires_at;
  timer.created_at = lease.started_at;
  timer.body = std::move(key);
  return timer;
}

}  // namespace belfry
