// store_streams.h - short words for ops on users and streams. For tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/op.h"

namespace belfry {

inline constexpr int64_t kTestTtlMs = 1000;

// 1, 2, 3 ... as a UUID.
[[nodiscard]] inline StreamId StreamNo(uint64_t n) { return UuidV4(7, n); }

// The deadline has the id `n` too.
[[nodiscard]] inline StreamStart StartNo(uint64_t n, std::string user, int64_t now_ms,
                                         uint32_t limit = 3, TenantId tenant = kLocalTenant) {
  StreamStart start;
  start.tenant = tenant;
  start.user = std::move(user);
  start.stream = StreamNo(n);
  start.content = "c" + std::to_string(n);
  start.ttl_ms = kTestTtlMs;
  start.on_expire = "http://127.0.0.1:9000/expired";
  start.limit = limit;
  start.deadline = n;
  start.now = {now_ms};
  return start;
}
[[nodiscard]] inline StartStreamOp Start(StreamStart start) {
  return {std::make_unique<StreamStart>(std::move(start))};
}
[[nodiscard]] inline RenewStreamOp Renew(uint64_t n, std::string user, int64_t now_ms,
                                         TenantId tenant = kLocalTenant) {
  return {tenant, std::move(user), StreamNo(n), {now_ms}};
}
[[nodiscard]] inline EndStreamOp End(uint64_t n, std::string user, int64_t now_ms,
                                     TenantId tenant = kLocalTenant) {
  return {tenant, std::move(user), StreamNo(n), {now_ms}};
}
[[nodiscard]] inline LapseStreamOp Lapse(const Timer& deadline, TimerId callback, int64_t now_ms) {
  return {std::make_unique<Timer>(deadline), callback, {now_ms}};
}

}  // namespace belfry
