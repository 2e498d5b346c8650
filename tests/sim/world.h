// world.h - one simulated daemon: the real scheduler and the real ledger over a disk that forgets
// what was not synced, with a virtual clock, clients, and receivers that misbehave.
// Single-threaded; everything follows from the seed.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"
#include "tests/sim/oracle.h"
#include "tests/sim/stopwatch_sim.h"
#include "tests/sim/stream_sim.h"
#include "tests/sim/target_rules.h"

namespace belfry::sim {

struct Violation {
  uint64_t seed = 0;
  int step = 0;
  std::string what;
};

class World {
 public:
  World(uint64_t seed, bool verbose);
  // Runs to the end or to the first violation.
  std::optional<Violation> Run();
  [[nodiscard]] const Oracle& oracle() const { return oracle_; }
  [[nodiscard]] const StopwatchSim& stopwatches() const { return stopwatches_; }
  [[nodiscard]] const StreamSim& streams() const { return streams_; }

 private:
  // Has no timers, and asks for those of others.
  static constexpr TenantId kStranger = kLocalTenant + 1;

  enum class Target {
    kHealthy,
    kFailing,
    kGone,
    kLimited,
    kForbidden,
    kLocalFault,
    kBroken,
    kCount
  };
  enum class Ask { kSet, kCancel, kCancelAll, kFind, kCount, kList, kReplay, kReplayRange, kPause };
  struct Request {
    Ask ask;
    TimerId id = 0;           // Cancel, Find, Replay; the floor of CancelAll
    std::string key;          // Set
    WallMs asked{};           // Set
    Oracle::AtAsking then{};  // Find, Replay
    std::string target{};     // Pause
    bool paused = false;      // Pause
  };

  // An attempt under way.
  struct Flying {
    std::string target;
    WallMs started;
    bool looks_up = false;  // waits for the addresses of its target's name
    bool slow = false;      // the target had not answered promptly before
    bool late = false;      // it is of the backlog
  };
  // What was last durable of a timer that is alive.
  struct Stored {
    std::string target;
    uint32_t attempts = 0;  // since it was last replayed
  };

  static TimersOptions Options(uint64_t seed, std::mt19937_64& random);
  void Step();
  void ClientStep();
  void StartOver();
  void SetOne(bool far);
  void Cancel(TenantId tenant, TimerId id);
  void CancelAll();
  void Meddle();
  void CheckHeld();
  void ReplayOne();
  void Replay(TenantId tenant, TimerId id);
  void ReplayRange();
  void PauseOne();
  void ResumeAll();
  void Pause(const std::string& target, bool paused);
  void CheckPaused(const Request& request, const Reply& reply);
  [[nodiscard]] bool Held(const std::string& target) const;
  // As the store has it.
  [[nodiscard]] std::set<TimerId> Parked() const;
  void ReadOne();
  static void AddWishes(uint64_t dice, Timer* timer);
  void ClockStep();
  void StoreStep();
  void Compact();
  // When what the op ends finished; of a RetainOp, before when what it forgets did.
  static WallMs EndOf(const Op& op);
  void NoteEnded(const Completion& done, WallMs end);
  void NoteApplied(const std::vector<Completion>& done, const std::vector<WallMs>& ends,
                   const std::vector<DeadRange>& ranges);
  void NoteAsked(const Op& op);
  void CheckOwed();
  void CompletionStep();
  void DeliveryStep();
  void Crash();
  void Stop();  // SIGTERM, then the next start
  void StepOfStop(int round);
  void InterruptAll();
  void Open();
  bool Pump();   // take Ready, start deliveries, answer clients; true: there was something
  void Drain();  // heal everything and let it end
  void AdvanceToNextKey();
  void Check();
  void Quieten();
  void CheckWake();
  void StartDeliveries(const std::vector<Delivery>& deliveries);
  void EndLookup(TimerId id);
  // Its name has an address: true when it goes on and has a slot.
  [[nodiscard]] bool Connect(TimerId id);
  void EndAttempt(TimerId id, Flying flight, Outcome outcome);
  void NoteStored(const Timer& timer);
  void CheckSlow();
  void CheckLane(bool late);
  void CheckNothingStaysPassedOver();
  void CheckLapses();
  // When the deadline has to be met, at the latest.
  [[nodiscard]] WallMs LapsesAt(const Key& deadline) const;
  [[nodiscard]] size_t Slow() const;
  [[nodiscard]] size_t SlowMax() const;
  void CheckCharge(const Op& op);
  void CheckTargets();
  void CheckNobodyIsHeldBack();
  void CheckParkedAreReadBack();
  // When something has to happen to a live timer, at the latest; kNever: after an attempt ended.
  [[nodiscard]] WallMs LatestFor(TimerId id, const Key& key) const;
  [[nodiscard]] std::optional<WallMs> NextDeadline() const;
  void CheckCounts();
  void CheckEnded();
  void CheckForgotten(WallMs before);
  void CheckReply(const Reply& reply);
  void CheckStopwatches();
  void CheckStreams();
  void CheckSet(const Request& request, const Reply& reply);
  void CheckCancel(const Request& request, const Reply& reply);
  void CheckStranger(const Reply& reply);
  void CheckFind(const Request& request, const Reply& reply);
  void CheckReplay(const Request& request, const Reply& reply);
  // One read is done, or what it found is handed back; false when there is none.
  bool ReadStep();
  void FinishReads();
  void DoRead();
  void HandBackRead();
  [[nodiscard]] std::map<TimerId, TimerState> StoredStates();
  // The live timers that the scheduler must know of.
  [[nodiscard]] std::map<TimerId, Key> LiveAndHandedBack() const;
  template <typename T>
  T Read(const Query& query);
  [[nodiscard]] Outcome OutcomeOf(TimerId id, Target target, WallMs started);

  ReplyToken Expect(Request request);
  uint64_t Random(uint64_t below);
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  void Note(const std::string& line);
  void SetClock(WallMs now);  // it steps
  void Pass(int64_t ms);      // time goes on
  void HealClock();
  void AcceptClock();
  [[nodiscard]] bool ClockBelievable() const;
  // Under way with a slot.
  [[nodiscard]] size_t Sending() const;
  [[nodiscard]] bool Quiet() const;  // the store and the pool have nothing to hand back

  uint64_t seed_;
  bool verbose_;
  std::mt19937_64 random_;
  int step_ = 0;
  WallMs now_{1'000'000'000'000};
  MonoMs mono_{1000};           // never steps
  WallMs latest_ = now_;        // the greatest now_ so far
  int64_t clock_wrong_ms_ = 0;  // how far off the clock was set at a crash
  WallMs last_seen_;            // as stored at the last start; 0 in a new store
  bool clock_sane_ = true;      // it was near to that, then or since
  WallMs last_local_fault_;
  bool stopping_ = false;
  std::optional<WallMs> wake_at_;  // as of the last Ready
  TimersOptions options_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<Ledger> store_;
  MemoryKv* kv_ = nullptr;  // of store_
  std::unique_ptr<Engine> engine_;
  Timers* timers_ = nullptr;  // of engine_
  Oracle oracle_;
  TargetRules rules_;
  StopwatchSim stopwatches_;
  StreamSim streams_;
  std::vector<Target> targets_;
  std::deque<Op> at_store_;            // handed over, not applied
  std::vector<Completion> completed_;  // applied, not yet back on the loop
  std::map<TimerId, Flying> flying_;   // started, not answered
  std::set<TimerId> unsent_;           // the last attempt looked a name up and got no further
  std::map<TimerId, Stored> stored_;
  std::set<std::string> prompt_;           // targets whose last answer came at once
  WallMs on_time_started_;                 // the last that was not of the backlog
  std::set<std::string> held_;             // targets whose pause was answered; "": all
  std::map<ReplyToken, Request> waiting_;  // clients without an answer
  std::vector<Query> queries_;
  std::vector<QueryResult> read_;  // and not handed back yet
  ReplyToken next_token_ = 1;
  TimerId looked_at_ = 0;            // by the last Find
  TimerId last_id_ = 0;              // the greatest id a client has seen
  std::map<TimerId, WallMs> ended_;  // durably ended above the floor, not yet seen to be forgotten
  WallMs retained_before_;           // what ended earlier may be forgotten
};

}  // namespace belfry::sim
