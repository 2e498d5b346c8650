// requests.h - what the load is made of. Loop thread only.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "base/status.h"
#include "bench/load.h"

namespace belfry {

// The header line of a daemon with auth.mode token; "" without a token.
[[nodiscard]] std::string AuthorizationLine(const std::string& token);

// The same `POST /timers` again and again.
class SetRequests final : public RequestSource {
 public:
  // kInvalid when `target` cannot stand in a JSON string as it is.
  [[nodiscard]] static Result<SetRequests> Make(const std::string& host_port, int64_t delay_ms,
                                                const std::string& target,
                                                const std::string& token = "");
  [[nodiscard]] std::string_view Next() override { return request_; }

 private:
  explicit SetRequests(std::string request) : request_(std::move(request)) {}
  std::string request_;
};

// `GET /timers/<id>` of ids drawn evenly from first..last, the same row of ids in every run; or, in
// order, of each of them in turn and again from the first.
class GetRequests final : public RequestSource {
 public:
  GetRequests(const std::string& host_port, uint64_t first, uint64_t last, bool full, bool in_order,
              const std::string& token = "");
  [[nodiscard]] std::string_view Next() override;

 private:
  const std::string tail_;
  std::mt19937_64 random_{1};
  std::uniform_int_distribution<uint64_t> ids_;
  const uint64_t first_;
  const uint64_t last_;
  const bool in_order_;
  uint64_t next_;  // in order
  std::string request_;
};

// `GET` of the same path again and again.
class PathRequests final : public RequestSource {
 public:
  PathRequests(const std::string& host_port, const std::string& path)
      : request_("GET " + path + " HTTP/1.1\r\nHost: " + host_port + "\r\n\r\n") {}
  [[nodiscard]] std::string_view Next() override { return request_; }

 private:
  const std::string request_;
};

}  // namespace belfry
