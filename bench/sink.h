// sink.h - receives webhooks and answers 204: counts them, judges a burst that is due at once,
// writes down when each came, or closes idle connections and counts for each timer.
//
// One thread. With a burst expected, lateness is the arrival of the whole request here minus the
// due time by this machine's clock, and two requests are the same webhook when their targets are
// equal; so whoever sends has to be on the same machine and give each webhook a path of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/status.h"
#include "bench/endpoint.h"
#include "bench/histogram.h"
#include "bench/request_counts.h"

namespace belfry {

// `expected` different webhooks that are due at `due_ms` (UTC, since 1970).
struct Burst {
  uint64_t expected = 0;  // 0: no burst, requests are only counted and no target is kept
  int64_t due_ms = 0;
  int64_t limit_ms = 0;  // waited after the due time for what is missing
};

struct SinkPlan {
  Endpoint endpoint;
  Burst burst;
  int64_t close_idle_ms = 0;  // connections idle for a random time up to this are closed; 0: none
  std::string counts_path;    // "": no counts by timer are kept
  std::string arrivals_path;  // "": when each came is not kept
};

// What came of a burst.
class BurstArrivals {
 public:
  explicit BurstArrivals(const Burst& burst) : burst_(burst) {}

  void Add(std::string_view target, int64_t arrived_wall_ns);

  [[nodiscard]] uint64_t received() const { return received_; }
  [[nodiscard]] uint64_t different() const { return targets_.size(); }
  [[nodiscard]] uint64_t duplicates() const { return received_ - different(); }
  [[nodiscard]] uint64_t missing() const;
  [[nodiscard]] uint64_t early() const { return early_; }
  [[nodiscard]] bool all_came() const { return missing() == 0; }
  // From the due time to the first and to the last of the different ones; 0 when none came.
  [[nodiscard]] int64_t first_ns() const { return first_ns_; }
  [[nodiscard]] int64_t last_ns() const { return last_ns_; }
  [[nodiscard]] const Histogram& late_ns() const { return late_ns_; }  // without early ones
  [[nodiscard]] bool clean() const { return all_came() && duplicates() == 0 && early_ == 0; }

  // One `name  figures` a line, or one JSON object on one line; both end with a line break.
  [[nodiscard]] std::string Text() const;
  [[nodiscard]] std::string Json() const;

 private:
  const Burst burst_;
  std::unordered_set<std::string> targets_;
  uint64_t received_ = 0;
  uint64_t early_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  Histogram late_ns_;
};

struct SinkResult {
  BurstArrivals arrivals;
  RequestCounts counts;
  uint64_t closed_idle = 0;

  // As BurstArrivals; with `counts`, of these.
  [[nodiscard]] std::string Text(bool with_counts) const;
  [[nodiscard]] std::string Json(bool with_counts) const;
};

// Runs until SIGINT or SIGTERM; a burst also ends it, one second after its last webhook came, so
// that duplicates are seen, or at its limit. Says on stderr where it listens, once it does. What
// is kept is written at the end; an error when it cannot be.
[[nodiscard]] Result<SinkResult> RunSink(const SinkPlan& plan);

}  // namespace belfry
