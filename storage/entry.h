// entry.h - the small values: what `ids` says about a timer, and what `once` says about a key.
//
// Any thread; pure. Checksummed with their key like records; anything else is kCorruption.
#pragma once

#include <string>
#include <string_view>

#include "base/id.h"
#include "base/status.h"
#include "base/timer.h"
#include "storage/checksum.h"

namespace belfry {

// Enough for a short view and to find the record: alive -> `due`, dead -> `dead`, else `done`.
struct IdEntry {
  TimerState state = TimerState::kPending;  // never kFiring
  WallMs at;                                // the key time: next attempt, or when it finished
  WallMs due;                               // as asked for
  friend bool operator==(const IdEntry&, const IdEntry&) = default;
};
[[nodiscard]] IdEntry EntryOf(const Timer& timer);
[[nodiscard]] std::string EncodeIdEntry(std::string_view key, const IdEntry& entry);
[[nodiscard]] Result<IdEntry> DecodeIdEntry(std::string_view key, std::string_view bytes);

// The timer a set with an idempotency key made.
struct OnceEntry {
  TimerId id = 0;
  WallMs created;
  Fingerprint request;  // of the body
  friend bool operator==(const OnceEntry&, const OnceEntry&) = default;
};
[[nodiscard]] std::string EncodeOnceEntry(std::string_view key, const OnceEntry& entry);
[[nodiscard]] Result<OnceEntry> DecodeOnceEntry(std::string_view key, std::string_view bytes);

}  // namespace belfry
