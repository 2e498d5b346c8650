// oracle.h - what must be true of a run, told from outside: what clients were answered, what
// receivers saw, what the store made durable. Single-threaded. The first violation is kept.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/delivery.h"
#include "base/op.h"
#include "base/query.h"
#include "base/time.h"

namespace belfry::sim {

class Oracle {
 public:
  // What a client learned. `asked` is when, `latest` the greatest time there was: after a clock
  // step back the key may have been forgotten when it was that late.
  void SetAcknowledged(TimerId id, const std::string& idempotency_key, WallMs asked, WallMs latest);
  void CancelAcknowledged(TimerId id);
  void CancelAllAcknowledged(TimerId last_id);
  // Asked, not yet acknowledged: from here on none of them starts.
  void CancelAllAsked(TimerId last_id);
  void TooLate(TimerId id, bool already_firing);
  // What held when a read was asked for: a read may show that or anything later.
  struct AtAsking {
    bool lived = false;
    bool ended = false;  // and the daemon, or a client, had been told so
  };
  [[nodiscard]] AtAsking Now(TimerId id) const;
  void NotFound(TimerId id, bool lived_at_asking);
  void Seen(const TimerView& view, AtAsking then);

  // What the store did, in order, when it was synced.
  void Applied(const Completion& done);
  void FloorApplied(TimerId last_id);
  // The daemon was told of it.
  void HandedBack(const Completion& done);
  // What a freshly opened store holds, against what was promised.
  void Recovered(std::map<TimerId, Key> live, const std::map<TimerId, TimerState>& all,
                 TimerId floor);

  // What the receivers saw.
  void Started(const Delivery& delivery, WallMs now);
  void Ended(const Outcome& outcome);
  void Crashed();
  // A stop in order: what was under way has ended, and nothing of it is forgotten.
  void Stopped();

  // At the end, after everything was given time: nothing may be left alive.
  void Finished();

  void Fail(const std::string& what);
  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  [[nodiscard]] const std::map<TimerId, Key>& live() const { return live_; }
  // At or below it everything was asked to be deleted.
  [[nodiscard]] TimerId floor_asked() const { return floor_asked_; }
  [[nodiscard]] uint64_t deliveries() const { return deliveries_; }

 private:
  struct Known {
    bool acknowledged = false;       // 201 was answered
    bool cancelled = false;          // `cancelled` was answered
    bool settled = false;            // a terminal state is durable
    bool told = false;               // ... and the daemon knows
    bool firing = false;             // an attempt is under way in this life of the daemon
    bool succeeded = false;          // a 2xx was handed to the daemon, and no crash came after it
    bool crash_since_start = false;  // a crash came after the last start
    bool uncharged = false;          // the last attempt was not charged
    uint32_t attempt = 0;            // the last number sent
    WallMs due;
  };

  [[nodiscard]] static std::string Name(TimerId id);

  std::map<TimerId, Known> timers_;
  std::map<TimerId, Key> live_;  // durable and alive
  std::map<std::string, std::pair<TimerId, WallMs>> first_by_key_;
  TimerId floor_asked_ = 0;
  TimerId floor_ = 0;
  uint64_t deliveries_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace belfry::sim
