// connection_owner.h - what an HttpConnection may use and needs from its server. Loop thread only.
#pragma once

#include <uv.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/time.h"
#include "http/message.h"
#include "http/request_parser.h"

namespace belfry {

class HttpConnection;

struct ConnectionLimits {
  ParserLimits parser;
  int64_t head_timeout_ms = kHeadTimeoutMs;
  int64_t body_timeout_ms = kBodyTimeoutMs;
  int64_t write_stall_timeout_ms = kWriteStallTimeoutMs;
  int64_t idle_timeout_ms = kIdleTimeoutMs;
  int64_t drain_timeout_ms = kDrainTimeoutMs;
  size_t drain_bytes_max = kDrainBytesMax;
};

// What a connection needs from the server. Outlives its connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  [[nodiscard]] virtual const ConnectionLimits& limits() const = 0;
  [[nodiscard]] virtual MonoMs Now() const = 0;
  // One buffer for all: what is read is used up before the next read. kBodyPaddingBytes lie behind.
  [[nodiscard]] virtual uv_buf_t ReadBuffer() = 0;
  [[nodiscard]] virtual std::string_view Date() = 0;
  [[nodiscard]] virtual std::string NewRequestId() = 0;
  [[nodiscard]] virtual bool stopping() const = 0;
  // Header lines that every answer to `request` carries, each with its CRLF. Its body is not looked
  // at.
  [[nodiscard]] virtual std::string CommonHeaders(const Request& request) = 0;
  virtual void HandleRequest(HttpConnection& from, const Request& request, uint64_t sequence) = 0;
  // Bytes held of half-read requests and unsent answers changed; false: there is no room for them.
  [[nodiscard]] virtual bool HoldBytes(int64_t change) = 0;
  // Call Flush (respectively Resume) soon, not from within this call.
  virtual void FlushSoon(HttpConnection& connection) = 0;
  virtual void ResumeSoon(HttpConnection& connection) = 0;
  // Calls GiveRoom soon, not from within this call.
  virtual void RoomSoon(HttpConnection& connection) = 0;
  // Destroys the connection.
  virtual void ConnectionClosed(HttpConnection& connection) = 0;
};

}  // namespace belfry
