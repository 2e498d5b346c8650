// record.h - one timer as bytes, the same in `due`, `done` and `dead`.
//
// Any thread; pure. Validate() holds before a timer is encoded and after it was decoded. A checksum
// covers the version, the key the record is stored under and every byte of it: a record that was
// cut, changed, or found under another key is an error, never a crash and never a wrong timer.
//
//   version u8 | XXH3-64 of (version, key, payload) | payload
//   payload: tenant u32, id varint, state u8, reason u8, method u8, flags u8, due u64,
//            next_attempt - due zigzag, created_at - due zigzag, finished varint, attempts varint,
//            timeout varint, url, headers, body, [retry], history,
//            [max_lateness varint, on_late u8], [attempts_base varint, replayed_at varint],
//            [callbacks: on u8, url]
//   Of a lease's deadline (Timer::kind), as version 3, and of nothing else: id varint, due u64,
//   created_at - due zigzag, lease key.
//   What stands in brackets is there when `flags` says so. Version 1 ended behind the history.
//   Strings are length varint + bytes, lists are count varint + items.
//
// To change the format: 1. raise kRecordVersion; 2. keep the old decoder and choose by the version
// byte; 3. write the new version wherever it differs; 4. keep tests/golden/record_v*.hex and add
// one for the new version; 5. raise kFormatMinReader in data_dir.h when an older binary must not
// open the store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/status.h"
#include "base/timer.h"

namespace belfry {

constexpr uint8_t kRecordVersion = 3;

// Replaces `out`. kInvalid when the timer does not pass Validate().
[[nodiscard]] Status EncodeTimer(std::string_view key, const Timer& timer, std::string* out);

// kCorruption when these are not the bytes that were written under this key.
[[nodiscard]] Result<TimerPtr> DecodeTimer(std::string_view key, std::string_view record);

// The owner alone, checked like a full decode but without building the timer.
[[nodiscard]] Result<TenantId> RecordTenant(std::string_view key, std::string_view record);
// The same of its URL; a view into `record`. Empty: it is a deadline, and sent nowhere.
[[nodiscard]] Result<std::string_view> RecordUrl(std::string_view key, std::string_view record);

}  // namespace belfry
