#include "storage/record.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "storage/bytes.h"
#include "storage/checksum.h"

namespace belfry {
namespace {

constexpr size_t kPrefixBytes = 1 + 8;  // version, checksum
constexpr uint8_t kWebhookVersion = 2;
constexpr uint8_t kDeadlineVersion = 3;
constexpr uint8_t kFlagAppendId = 1;
constexpr uint8_t kFlagRetry = 2;
constexpr uint8_t kFlagLateness = 4;
constexpr uint8_t kFlagReplayed = 8;
constexpr uint8_t kFlagCallbacks = 16;
constexpr uint8_t kFlagsOfVersion1 = kFlagAppendId | kFlagRetry;
constexpr uint8_t kFlagsKnown = kFlagsOfVersion1 | kFlagLateness | kFlagReplayed | kFlagCallbacks;

uint8_t FlagsOf(const Timer& t) {
  uint8_t flags = 0;
  if (t.append_id) flags |= kFlagAppendId;
  if (t.retry) flags |= kFlagRetry;
  if (t.max_lateness_ms != 0) flags |= kFlagLateness;
  if (t.replayed_at.ms != 0) flags |= kFlagReplayed;
  if (!t.callbacks.empty()) flags |= kFlagCallbacks;
  return flags;
}

void AppendRetry(std::string* out, const RetryPolicy& retry) {
  AppendVarint(out, retry.max_attempts);
  AppendVarint(out, retry.schedule_ms.size());
  for (const int64_t ms : retry.schedule_ms) AppendVarint(out, static_cast<uint64_t>(ms));
  AppendVarint(out, static_cast<uint64_t>(retry.min_ms));
  AppendVarint(out, static_cast<uint64_t>(retry.max_ms));
  AppendU64(out, std::bit_cast<uint64_t>(retry.factor));
  AppendU64(out, std::bit_cast<uint64_t>(retry.jitter));
}

RetryPolicy ReadRetry(ByteReader* in) {
  RetryPolicy retry;
  retry.max_attempts = static_cast<uint32_t>(in->Varint());
  const uint64_t steps = in->Varint();
  for (uint64_t i = 0; i < steps && in->ok(); ++i) {
    retry.schedule_ms.push_back(static_cast<int64_t>(in->Varint()));
  }
  retry.min_ms = static_cast<int64_t>(in->Varint());
  retry.max_ms = static_cast<int64_t>(in->Varint());
  retry.factor = std::bit_cast<double>(in->U64());
  retry.jitter = std::bit_cast<double>(in->U64());
  return retry;
}

void AppendAttempt(std::string* out, const Attempt& attempt) {
  AppendU64(out, static_cast<uint64_t>(attempt.at.ms));
  AppendZigzag(out, attempt.status);
  AppendZigzag(out, attempt.duration_ms);
  AppendString(out, attempt.error);
}

Attempt ReadAttempt(ByteReader* in) {
  Attempt attempt;
  attempt.at.ms = static_cast<int64_t>(in->U64());
  attempt.status = static_cast<int32_t>(in->Zigzag());
  attempt.duration_ms = in->Zigzag();
  attempt.error = std::string(in->String());
  return attempt;
}

void AppendCallbacks(std::string* out, const std::vector<Callback>& callbacks) {
  AppendVarint(out, callbacks.size());
  for (const Callback& callback : callbacks) {
    AppendU8(out, static_cast<uint8_t>(callback.on));
    AppendString(out, callback.url);
  }
}

void ReadCallbacks(ByteReader* in, std::vector<Callback>* callbacks) {
  const uint64_t count = in->Varint();
  for (uint64_t i = 0; i < count && in->ok(); ++i) {
    const auto on = static_cast<CallbackOn>(in->U8());
    callbacks->push_back({on, std::string(in->String())});
  }
}

void AppendPayload(std::string* out, const Timer& t) {
  AppendU32(out, t.tenant);
  AppendVarint(out, t.id);
  AppendU8(out, static_cast<uint8_t>(t.state));
  AppendU8(out, static_cast<uint8_t>(t.reason));
  AppendU8(out, static_cast<uint8_t>(t.method));
  const uint8_t flags = FlagsOf(t);
  AppendU8(out, flags);
  AppendU64(out, static_cast<uint64_t>(t.due.ms));
  AppendZigzag(out, t.next_attempt - t.due);
  AppendZigzag(out, t.created_at - t.due);
  AppendVarint(out, static_cast<uint64_t>(t.finished.ms));
  AppendVarint(out, t.attempts);
  AppendVarint(out, static_cast<uint64_t>(t.timeout_ms));
  AppendString(out, t.url);
  AppendVarint(out, t.headers.size());
  for (const auto& [name, value] : t.headers) {
    AppendString(out, name);
    AppendString(out, value);
  }
  AppendString(out, t.body);
  if (t.retry) AppendRetry(out, *t.retry);
  AppendVarint(out, t.history.size());
  for (const Attempt& attempt : t.history) AppendAttempt(out, attempt);
  if (flags & kFlagLateness) {
    AppendVarint(out, static_cast<uint64_t>(t.max_lateness_ms));
    AppendU8(out, static_cast<uint8_t>(t.on_late));
  }
  if (flags & kFlagReplayed) {
    AppendVarint(out, t.attempts_base);
    AppendVarint(out, static_cast<uint64_t>(t.replayed_at.ms));
  }
  if (flags & kFlagCallbacks) AppendCallbacks(out, t.callbacks);
}

// Times are added as unsigned so that nothing overflows before Validate() has looked at them.
WallMs Plus(WallMs base, int64_t delta_ms) {
  return {static_cast<int64_t>(static_cast<uint64_t>(base.ms) + static_cast<uint64_t>(delta_ms))};
}

// False when the bytes are not exactly one timer. What a version does not know its flags do not
// name: the rest is the same.
bool ReadPayload(std::string_view payload, uint8_t version, Timer* t) {
  ByteReader reader(payload);
  ByteReader* const in = &reader;
  t->tenant = in->U32();
  t->id = in->Varint();
  t->state = static_cast<TimerState>(in->U8());
  t->reason = static_cast<DeadReason>(in->U8());
  t->method = static_cast<Method>(in->U8());
  const uint8_t flags = in->U8();
  t->append_id = (flags & kFlagAppendId) != 0;
  t->due.ms = static_cast<int64_t>(in->U64());
  t->next_attempt = Plus(t->due, in->Zigzag());
  t->created_at = Plus(t->due, in->Zigzag());
  t->finished.ms = static_cast<int64_t>(in->Varint());
  t->attempts = static_cast<uint32_t>(in->Varint());
  t->timeout_ms = static_cast<int64_t>(in->Varint());
  t->url = in->String();
  const uint64_t headers = in->Varint();
  t->headers.reserve(std::min<uint64_t>(headers, kHeadersMax));  // whatever damage says
  for (uint64_t i = 0; i < headers && in->ok(); ++i) {
    const std::string_view name = in->String();
    t->headers.emplace_back(name, in->String());
  }
  t->body = in->String();
  if (flags & kFlagRetry) t->retry = ReadRetry(in);
  const uint64_t attempts = in->Varint();
  for (uint64_t i = 0; i < attempts && in->ok(); ++i) t->history.push_back(ReadAttempt(in));
  if (flags & kFlagLateness) {
    t->max_lateness_ms = static_cast<int64_t>(in->Varint());
    t->on_late = static_cast<OnLate>(in->U8());
  }
  if (flags & kFlagReplayed) {
    t->attempts_base = static_cast<uint32_t>(in->Varint());
    t->replayed_at.ms = static_cast<int64_t>(in->Varint());
  }
  if (flags & kFlagCallbacks) ReadCallbacks(in, &t->callbacks);
  const uint8_t known = version == 1 ? kFlagsOfVersion1 : kFlagsKnown;
  return in->finished() && (flags & ~known) == 0;
}

void AppendDeadline(std::string* out, const Timer& t) {
  AppendVarint(out, t.id);
  AppendU64(out, static_cast<uint64_t>(t.due.ms));
  AppendZigzag(out, t.created_at - t.due);
  AppendString(out, t.body);
}

bool ReadDeadline(std::string_view payload, Timer* t) {
  ByteReader in(payload);
  t->kind = TimerKind::kLease;
  t->tenant = kLeaseTenant;
  t->id = in.Varint();
  t->due.ms = static_cast<int64_t>(in.U64());
  t->next_attempt = t->due;
  t->created_at = Plus(t->due, in.Zigzag());
  t->body = in.String();
  return in.finished();
}

bool KnownNames(const Timer& t) {
  return t.method >= Method::kPost && t.method <= Method::kGet && t.reason <= DeadReason::kExpired;
}

// The payload, once version and checksum are right.
Result<std::string_view> Payload(std::string_view key, std::string_view record) {
  ByteReader in(record);
  const uint8_t version = in.U8();
  const uint64_t checksum = in.U64();
  if (!in.ok()) return Corruption("record is cut short");
  if (version == 0 || version > kRecordVersion) {
    return Corruption("record of unknown version " + std::to_string(version));
  }
  if (checksum != ChecksumOf(version, key, in.rest())) return Corruption("record checksum differs");
  return in.rest();
}

}  // namespace

Status EncodeTimer(std::string_view key, const Timer& timer, std::string* out) {
  if (Status s = Validate(timer); !s.ok()) {
    return Invalid("timer " + std::to_string(timer.id) + " cannot be stored: " + s.message());
  }
  if (!KnownNames(timer))
    return Invalid("timer " + std::to_string(timer.id) + ": method or reason");
  out->assign(kPrefixBytes, '\0');
  const bool deadline = timer.kind == TimerKind::kLease;
  const uint8_t version = deadline ? kDeadlineVersion : kWebhookVersion;
  deadline ? AppendDeadline(out, timer) : AppendPayload(out, timer);
  (*out)[0] = static_cast<char>(version);
  const std::string_view payload = std::string_view(*out).substr(kPrefixBytes);
  StoreU64(out->data() + 1, ChecksumOf(version, key, payload));
  return {};
}

Result<TimerPtr> DecodeTimer(std::string_view key, std::string_view record) {
  const Result<std::string_view> payload = Payload(key, record);
  if (!payload.ok()) return payload.status();
  auto timer = std::make_unique<Timer>();
  const auto version = static_cast<uint8_t>(record[0]);
  const bool parsed = version == kDeadlineVersion ? ReadDeadline(*payload, timer.get())
                                                  : ReadPayload(*payload, version, timer.get());
  if (!parsed) return Corruption("record does not parse");
  if (!KnownNames(*timer)) return Corruption("record has an unknown method or reason");
  if (Status s = Validate(*timer); !s.ok()) return Corruption("record has a bad " + s.message());
  return timer;
}

Result<TenantId> RecordTenant(std::string_view key, std::string_view record) {
  const Result<std::string_view> payload = Payload(key, record);
  if (!payload.ok()) return payload.status();
  if (static_cast<uint8_t>(record[0]) == kDeadlineVersion) return kLeaseTenant;
  ByteReader in(*payload);
  const TenantId tenant = in.U32();
  if (!in.ok()) return Corruption("record does not parse");
  return tenant;
}

Result<std::string_view> RecordUrl(std::string_view key, std::string_view record) {
  const Result<std::string_view> payload = Payload(key, record);
  if (!payload.ok()) return payload.status();
  if (static_cast<uint8_t>(record[0]) == kDeadlineVersion) return std::string_view();
  ByteReader in(*payload);
  in.U32();                                 // tenant
  in.Varint();                              // id
  for (int i = 0; i < 4; ++i) in.U8();      // state, reason, method, flags
  in.U64();                                 // due
  for (int i = 0; i < 2; ++i) in.Zigzag();  // next_attempt, created_at
  for (int i = 0; i < 3; ++i) in.Varint();  // finished, attempts, timeout
  const std::string_view url = in.String();
  if (!in.ok()) return Corruption("record does not parse");
  return url;
}

}  // namespace belfry
