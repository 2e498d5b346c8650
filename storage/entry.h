// entry.h - the small values: what `ids` says about a timer, `once` about a key, and `stopwatch`.
//
// Any thread; pure. Checksummed with their key like records; anything else is kCorruption.
//
//   version u8 | low 32 bits of XXH3-64 of (version, key, fields) | fields
//   ids, 1: state u8, key time u64, due u64; 2, of parked timers only: the same, target number u32
//   once, 1: id u64, created u64, fingerprint 2 * u64
//   stopwatch, 1: started_at u64
//
// To change a format: as record.h says, with tests/golden/id_entry_v*.hex.
#pragma once

#include <string>
#include <string_view>

#include "base/id.h"
#include "base/status.h"
#include "base/timer.h"
#include "storage/batch.h"
#include "storage/checksum.h"
#include "storage/keys.h"

namespace belfry {

// Enough for a short view and to find the record: see PlaceOf.
struct IdEntry {
  TimerState state = TimerState::kPending;  // never kFiring
  WallMs at;                                // the key time: next attempt, or when it finished
  WallMs due;                               // as asked for
  TargetNumber parked = 0;                  // under which number; 0: not parked. Only while alive
  friend bool operator==(const IdEntry&, const IdEntry&) = default;
};
[[nodiscard]] IdEntry EntryOf(const Timer& timer, TargetNumber parked = 0);
[[nodiscard]] std::string EncodeIdEntry(std::string_view key, const IdEntry& entry);
[[nodiscard]] Result<IdEntry> DecodeIdEntry(std::string_view key, std::string_view bytes);

// Where the record is: alive -> `parked` or `due`, dead -> `dead`, else `done`.
struct Place {
  Cf cf;
  ShortKey key;
  friend bool operator==(const Place& a, const Place& b) {
    return a.cf == b.cf && std::string_view(a.key) == std::string_view(b.key);
  }
};
[[nodiscard]] Place PlaceOf(TenantId tenant, TimerId id, const IdEntry& entry);

// The timer a set with an idempotency key made.
struct OnceEntry {
  TimerId id = 0;
  WallMs created;
  Fingerprint request;  // of the body
  friend bool operator==(const OnceEntry&, const OnceEntry&) = default;
};
[[nodiscard]] std::string EncodeOnceEntry(std::string_view key, const OnceEntry& entry);
[[nodiscard]] Result<OnceEntry> DecodeOnceEntry(std::string_view key, std::string_view bytes);

// Under either of its keys.
[[nodiscard]] std::string EncodeStopwatch(std::string_view key, WallMs started_at);
[[nodiscard]] Result<WallMs> DecodeStopwatch(std::string_view key, std::string_view bytes);

}  // namespace belfry
