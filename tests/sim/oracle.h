// oracle.h - what must be true of a run, told from outside: what clients were answered, what
// receivers saw, what the store made durable. Single-threaded. The first violation is kept.
// oracle_ends.cc has the rules of how timers end, come back, and tell of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/delivery.h"
#include "base/op.h"
#include "base/query.h"
#include "base/time.h"

namespace belfry::sim {

// Attempts that a timer of the simulator has, and has again when it is replayed.
constexpr uint32_t kAttempts = 3;

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
    bool ended = false;    // and the daemon, or a client, had been told so
    bool dead = false;     // ended so
    uint64_t replays = 0;  // so far
  };
  [[nodiscard]] AtAsking Now(TimerId id) const;
  void NotFound(TimerId id, bool lived_at_asking);
  void Seen(const TimerView& view, AtAsking then);
  // What a client learned that wanted a dead timer back.
  void ReplayAcknowledged(TimerId id, AtAsking then);
  void ReplayRefused(TimerId id, AtAsking then);

  // Asked of the store: if that is lost in a crash, the dead may be back or not.
  void ReplayAsked(TimerId id) { timers_[id].replay_asked = true; }
  void RangeAsked() { range_asked_ = true; }

  // What the store did, in order, when it was synced.
  void Applied(const Completion& done);
  void FloorApplied(TimerId last_id);
  // Not asked for by a client: it tells of a lapse.
  void Made(const Timer& timer);
  // Everything that is dead and in the range is owed a replay from now on.
  void RangeWritten(const DeadRange& range);
  // The daemon was told of it.
  void HandedBack(const Completion& done);
  // What a freshly opened store holds, against what was promised.
  void Recovered(const std::map<TimerId, Timer>& stored, TimerId floor);

  // What the receivers saw.
  void Started(const Delivery& delivery, WallMs now);
  void Ended(const Outcome& outcome);
  void Crashed();
  // A stop in order: what was under way has ended, and nothing of it is forgotten.
  void Stopped();

  // At the end, after everything was given time: nothing may be left alive.
  void Finished();
  // Those that a written range owes a replay which did not come.
  [[nodiscard]] std::vector<TimerId> Owed() const;

  void Fail(const std::string& what);
  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  [[nodiscard]] const std::map<TimerId, Key>& live() const { return live_; }
  // At or below it everything was asked to be deleted.
  [[nodiscard]] TimerId floor_asked() const { return floor_asked_; }
  [[nodiscard]] uint64_t deliveries() const { return deliveries_; }
  [[nodiscard]] uint64_t expired() const { return expired_; }
  [[nodiscard]] uint64_t callbacks() const { return callbacks_; }
  [[nodiscard]] uint64_t replays() const { return replays_; }

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
    bool ever_settled = false;
    bool dead = false;          // of `settled`: so
    bool replay_asked = false;  // once, of the store
    uint64_t replays = 0;
    uint64_t replays_owed = 0;         // as many there must be in the end
    uint32_t charged = 0;              // attempts, by the stored record
    uint32_t charged_at_replay = 0;    // ... when it was brought back last
    WallMs replayed_at;                // by the stored record
    WallMs finished;                   // of `settled`
    size_t calling_ends = 0;           // ends that call somebody
    std::set<TimerId> callbacks = {};  // the timers that do
  };

  [[nodiscard]] static std::string Name(TimerId id);
  void Settled(const Completion& done);
  void Revived(const Timer& timer);
  void CheckExpired(const Timer& ended);
  void CheckCallback(const Timer& cause, const Timer* callback);
  void RecoveredEnded(const Timer& timer);
  void RecoveredAlive(const Timer& timer);
  void RecoveredCallbacks(const std::map<TimerId, Timer>& stored);

  std::map<TimerId, Known> timers_;
  std::map<TimerId, Key> live_;  // durable and alive
  std::map<std::string, std::pair<TimerId, WallMs>> first_by_key_;
  TimerId floor_asked_ = 0;
  TimerId floor_ = 0;
  bool range_asked_ = false;
  uint64_t deliveries_ = 0;
  uint64_t expired_ = 0;
  uint64_t callbacks_ = 0;
  uint64_t replays_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace belfry::sim
