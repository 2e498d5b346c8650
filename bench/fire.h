// fire.h - sets timers that are due spread over some time, receives their webhooks, and says how
// late each came.
//
// Loop thread only. Lateness is the arrival of the whole request here minus the asked-for due time,
// by this machine's clock; so the daemon has to be on the same machine. Each run has a path of its
// own, so webhooks of an earlier run are not taken for this one's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/client_connection.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"
#include "bench/progress.h"
#include "bench/receiver.h"

namespace belfry {

struct FirePlan {
  Endpoint daemon;
  Endpoint receiver;
  int connections = 64;  // that set the timers
  int64_t count = 0;
  int64_t spread_ms = 0;  // from the first due time to the last
  int64_t lead_ms = 0;    // from the start to the first due time
  int64_t limit_ms = 0;   // waited after the last due time for what is missing
  int pid = 0;            // of the daemon; 0: its processor time is not asked for
};

struct FireResult {
  double set_seconds = 0;
  uint64_t set = 0;                         // acknowledged
  std::map<std::string, uint64_t> not_set;  // by status or reason
  uint64_t set_late = 0;                    // acknowledged when already due: not in the lateness
  uint64_t arrived = 0;                     // different timers
  uint64_t early = 0;                       // of these, before they were due
  uint64_t duplicates = 0;                  // further arrivals of the same timer
  uint64_t unknown = 0;                     // arrivals of a timer that was not acknowledged to us
  double arriving_seconds = 0;              // from the first arrival to the last
  Histogram late_ns;
  // From the last acknowledgement to the end of the run.
  std::optional<int64_t> daemon_cpu_us;
  uint64_t arrived_then = 0;  // timers whose webhook came in that time

  [[nodiscard]] uint64_t missing() const { return set - arrived; }
  [[nodiscard]] bool clean() const;  // all set, each arrived once, none early
};

class Fire final : private ClientEvents {
 public:
  // `loop` outlives this.
  Fire(EventLoop& loop, FirePlan plan);

  // Once; runs the loop. An error when the receiver cannot listen, the daemon cannot be reached or
  // stops answering.
  [[nodiscard]] Result<FireResult> Run();

 private:
  struct Timer {
    uint64_t id = 0;  // 0: not acknowledged
    int64_t acknowledged_wall_ns = 0;
  };
  struct Arrival {
    int64_t first_wall_ns = 0;
    uint64_t times = 0;
  };

  void OnUp(ClientConnection& connection) override;
  void OnAnswer(ClientConnection& connection, uint64_t tag, int status,
                std::string_view body) override;
  void OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
              const std::string& why) override;
  void OnWebhook(std::string_view target, int64_t arrived_wall_ns);
  void SendNext(ClientConnection& connection);
  void Answered();
  void Look();
  void Fail(const std::string& why);
  [[nodiscard]] Result<FireResult> Report() const;
  [[nodiscard]] int64_t DueMs(size_t i) const;
  [[nodiscard]] uint64_t NotSet() const;

  EventLoop& loop_;
  const FirePlan plan_;
  const std::string path_;  // "/fire-<time>/"
  std::unique_ptr<Receiver> receiver_;
  LoopTimer look_timer_;
  StopSignals stop_;
  Progress progress_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::vector<Timer> timers_;
  std::unordered_map<uint64_t, Arrival> arrivals_;  // by id
  std::map<std::string, uint64_t> not_set_;
  std::string request_;  // being built
  size_t next_ = 0;      // timer to be set
  size_t answered_ = 0;
  int64_t first_due_ms_ = 0;
  uint64_t begun_ns_ = 0;
  double set_seconds_ = 0;
  int64_t daemon_cpu_us_ = 0;    // when all were set
  uint64_t arrived_before_ = 0;  // the same
  uint64_t look_ns_ = 0;         // of the last Look
  size_t look_count_ = 0;
  Status failed_;
};

}  // namespace belfry
