// stream_rows.h - the values of the family `stream`. Any thread; pure.
//
// Sealed (sealed.h), version 1; anything else is kCorruption.
//   user:  flags u8 (1: has a limit), [limit varint], last_online varint, streams: count varint and
//          16 bytes each
//   lease: content, started_at varint, expires_at varint, ttl_ms varint, fencing varint, on_expire
//
// To change a format: as record.h says, with tests/golden/stream_*.hex.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/stream.h"
#include "base/timer.h"

namespace belfry {

[[nodiscard]] std::string EncodeUser(std::string_view key, const StreamUser& user);
[[nodiscard]] Result<StreamUser> DecodeUser(std::string_view key, std::string_view bytes);

[[nodiscard]] std::string EncodeLease(std::string_view key, const Lease& lease);
[[nodiscard]] Result<Lease> DecodeLease(std::string_view key, std::string_view bytes);

// What is armed for a lease; `key` is that of its row while it is alive.
[[nodiscard]] Timer DeadlineOf(const Lease& lease, std::string key);

}  // namespace belfry
