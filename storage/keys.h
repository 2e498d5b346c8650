// keys.h - the keys of every column family, big-endian, so that bytes sort as the values do.
//
// Any thread; pure. Times are milliseconds >= 0; ids and tenants as in base/id.h.
//
//   due   next_attempt_ms u64, id u64       reached through ids, or by pages for the scheduler
//   ids   tenant u32, id u64
//   done  finished_ms u64, id u64           delivered and cancelled
//   dead  tenant u32, finished_ms u64, id u64
//   once  1, tenant u32, key                what an idempotency key answered
//         2, created_ms u64, tenant u32, key  the same by age, so that they can be forgotten
//   meta  see MetaKind
//   parked  target number u32, next_attempt_ms u64, id u64: due, but may not start yet; read back
//           target by target
//   stopwatch  1, tenant u32, name, 0    when it was started, by owner
//              2, name, 0, tenant u32    the same by name; a name has no zero byte, and the
//                                        one that ends it keeps `tea` apart from `teapot`
//   stream  1, tenant u32, user, 0            a user
//           2, tenant u32, user, 0, stream 16  a lease
//           3, tenant u32, user, 0, stream 16  a lease that lapsed and has not told of it yet
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/stream.h"
#include "base/time.h"
#include "base/timer.h"
#include "storage/batch.h"
#include "storage/bytes.h"

namespace belfry {

// Stored as one byte: never renumber.
enum class MetaKind : uint8_t {
  kFormat = 1,       // u32, see kSchema in books.h
  kStoreId = 2,      // 10 characters
  kCommitNo = 3,     // u64, raised by every batch
  kLastId = 4,       // u64, the greatest timer id ever given out
  kLow = 5,          // u64 ms, no live timer in `due` has a smaller key time
  kLastSeen = 6,     // u64 ms
  kDoneCursor = 7,   // ms u64, id u64: retention has passed everything below it in `done`
  kOnceCursor = 8,   // u64 ms: every idempotency key created earlier is forgotten
  kCount = 9,        // + tenant u32, state u8: u64
  kFloor = 10,       // + tenant u32: u64 id
  kDeadCursor = 11,  // + tenant u32: ms u64, id u64, as kDoneCursor
  kFirstId = 12,     // + tenant u32: u64 id, `ids` has none of the tenant's below it

  kParkedTarget = 13,  // + target number u32: ms u64, id u64, name. No live row of the target in
                       // `parked` has a smaller key
  kParkedNumber = 14,  // u32, the greatest target number ever used
  kPausedAll = 15,     // there while all deliveries are held; empty
  kPausedTarget = 16,  // + name: there while those to this target are; empty
  kReplay = 17,        // + number u64: see Books::Replay
  kTenant = 18,        // + name of a user: tenant u32. Never changed, never removed
  kTenantNumber = 19,  // u32: tenants up to it may have been given out; absent: see kTenant
};

[[nodiscard]] std::string_view CfName(Cf cf);  // as above

// Stored as one byte: never renumber.
enum class StreamRow : uint8_t { kUser = 1, kLease = 2, kLapsed = 3 };

// A short key without an allocation.
class ShortKey {
 public:
  ShortKey& U8(uint8_t value) {
    bytes_[size_++] = static_cast<char>(value);
    return *this;
  }
  ShortKey& U32(uint32_t value) {
    StoreU32(&bytes_[size_], value);
    size_ += 4;
    return *this;
  }
  ShortKey& U64(uint64_t value) {
    StoreU64(&bytes_[size_], value);
    size_ += 8;
    return *this;
  }
  operator std::string_view() const { return {bytes_.data(), size_}; }  // NOLINT: implicit

 private:
  std::array<char, 24> bytes_;
  uint8_t size_ = 0;
};

// A time before 1970 sorts as 1970: nothing is stored there.
[[nodiscard]] ShortKey TimeKey(Key key);  // `due` and `done`
[[nodiscard]] ShortKey IdKey(TenantId tenant, TimerId id);
[[nodiscard]] ShortKey DeadKey(TenantId tenant, Key key);
[[nodiscard]] ShortKey ParkedKey(TargetNumber target, Key key);
// Behind every key time there is: an iterator without an upper bound could walk a wall of deletes.
inline constexpr Key kKeyTimesEnd{kWallMax + 1, 0};
[[nodiscard]] std::string OnceKey(TenantId tenant, std::string_view idempotency_key);
[[nodiscard]] std::string OnceTimeKey(WallMs created, TenantId tenant, std::string_view key);
// All rows of the first kind of `once` are in this range.
inline constexpr std::string_view kOnceKeysFrom{"\1", 1};
inline constexpr std::string_view kOnceKeysEnd{"\2", 1};
[[nodiscard]] std::string StopwatchKey(TenantId tenant, std::string_view name);
[[nodiscard]] std::string StopwatchNameKey(std::string_view name, TenantId tenant);
// The first key behind those of one tenant, and of one name.
[[nodiscard]] std::string StopwatchKeysEnd(TenantId tenant);
[[nodiscard]] std::string StopwatchNameKeysEnd(std::string_view name);
// What all keys of one list, an owner's or a name's, begin with; of one of them or a cursor in it.
// Empty: it is neither.
[[nodiscard]] std::string_view StopwatchListOf(std::string_view key);
// Between the first kind and the second.
inline constexpr std::string_view kStopwatchNameKeysFrom{"\2", 1};
[[nodiscard]] ShortKey MetaKey(MetaKind kind);
[[nodiscard]] ShortKey MetaKey(MetaKind kind, TenantId tenant);
[[nodiscard]] ShortKey CountKey(TenantId tenant, TimerState state);
[[nodiscard]] ShortKey ParkedTargetKey(TargetNumber target);
[[nodiscard]] std::string PausedTargetKey(std::string_view name);
[[nodiscard]] ShortKey ReplayKey(uint64_t number);
[[nodiscard]] std::string TenantNameKey(std::string_view user);
[[nodiscard]] std::string StreamKey(StreamRow row, TenantId tenant, std::string_view user);
[[nodiscard]] std::string StreamKey(StreamRow row, TenantId tenant, std::string_view user,
                                    const StreamId& id);

// nullopt: these are not the bytes of such a key.
struct TenantKey {
  TenantId tenant = 0;
  Key key;
};
struct TargetKey {
  TargetNumber target = 0;
  Key key;
};
struct TenantTimer {
  TenantId tenant = 0;
  TimerId id = 0;
};
struct OnceName {
  TenantId tenant = 0;
  std::string_view key;  // borrowed from the bytes
};
struct OnceTime {
  WallMs created;
  TenantId tenant = 0;
  std::string key;
};
struct StopwatchOwner {
  TenantId tenant = 0;
  std::string_view name;  // borrowed from the bytes
};
struct StreamName {
  StreamRow row = StreamRow::kUser;
  TenantId tenant = 0;
  std::string_view user;  // borrowed from the bytes
  StreamId stream;        // not of a user's row
};
[[nodiscard]] std::optional<Key> ParseTimeKey(std::string_view bytes);
[[nodiscard]] std::optional<TenantTimer> ParseIdKey(std::string_view bytes);
[[nodiscard]] std::optional<TenantKey> ParseDeadKey(std::string_view bytes);
[[nodiscard]] std::optional<TargetKey> ParseParkedKey(std::string_view bytes);
[[nodiscard]] std::optional<OnceName> ParseOnceKey(std::string_view bytes);
[[nodiscard]] std::optional<OnceTime> ParseOnceTimeKey(std::string_view bytes);
[[nodiscard]] std::optional<StopwatchOwner> ParseStopwatchKey(std::string_view bytes);
[[nodiscard]] std::optional<StopwatchOwner> ParseStopwatchNameKey(std::string_view bytes);
[[nodiscard]] std::optional<StreamName> ParseStreamKey(std::string_view bytes);

// For messages: "(1700000000000, 7)".
[[nodiscard]] std::string KeyText(Key key);

}  // namespace belfry
