// timers.h - the scheduler of timers: a pure step machine. No sockets, files, clock calls, threads.
//
// Loop thread only. Inputs are calls that carry `now`; the output goes to the Ready of the Engine
// that owns this (engine.h). Every method returns at once; what it decided is in the next Ready.
// Exactly one Reply is made for each token that was given in.
//
// Invariants, walked by tests/support/invariants.cc:
// (1) A timer is armed only by the completion of the op or page that made it durable.
// (2) An id has at most one place in memory: heap, held, staged, or in flight. A timer is held
//     while an op of its tenant on its id is unfinished; what another tenant asks for under the id
//     changes nothing of it and holds nothing back.
// (3) A timer is started only when no op of its tenant on its id is unfinished.
// (4) Every live timer with a key at or below the horizon is in memory, or has an unfinished op, or
//     the backlog's cursor will meet it, or it was passed over (left_rows.h), or it is parked above
//     its lot's cursor; of a deadline: or the cursor of late ones will meet it. The timers of a
//     ReplayStepOp are known when it completes, those of a SettleOp's callback by id.
// (5) The deadline of a lease is never staged: when it is due, a LapseStreamOp takes it. At most
//     lapses_max are on their way, those of a page that was asked for included.
// (6) An attempt is forgotten only by the completion of its outcome's op. At most max_in_flight are
//     under way, and max_unsettled more may have ended without a durable outcome; not counting
//     those that never got an address.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/delivery.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/query.h"
#include "base/timer.h"
#include "scheduler/admission.h"
#include "scheduler/backlog.h"
#include "scheduler/id_cache.h"
#include "scheduler/left_rows.h"
#include "scheduler/parking.h"
#include "scheduler/ready.h"
#include "scheduler/replays.h"
#include "scheduler/unfinished.h"
#include "scheduler/window.h"

namespace belfry {

struct TimersOptions {
  size_t window_bytes = 64 * 1024 * 1024;
  size_t id_cache_bytes = 32 * 1024 * 1024;
  size_t sets_queued_bytes_max = kSetsQueuedBytesMax;
  size_t max_in_flight = 1000;
  size_t per_target_in_flight = 100;
  uint32_t per_target_rate = 0;  // attempts a second; 0: as many as there are
  BreakerOptions breaker = {};   // its seed is jitter_seed
  size_t max_unsettled = kUnsettledMax;
  size_t lapses_max = kLapsesMax;
  size_t staged_room_min = kStagedRoomMin;
  size_t unpark_below = kUnparkBelow;
  int64_t retention_ms = 7 * kDayMs;
  RetryPolicy retry;          // for timers without their own
  uint64_t jitter_seed = 1;   // the same seed gives the same jitter
  bool accept_clock = false;  // --accept-clock: believe the clock at start whatever it says
};

// What the scheduler needs from the opened store; see StoreState in storage/store.h.
struct ParkedLot {
  TargetNumber number = 0;
  std::string name;
  Key low;
};
struct TimersStart {
  TimerId last_id = 0;
  WallMs low;
  WallMs last_seen;
  std::vector<std::pair<TenantId, TimerId>> floors;
  std::vector<uint64_t> replays = {};
  std::vector<ParkedLot> parked = {};
  bool paused_all = false;
  std::vector<std::string> paused_targets = {};
};

class Timers {
 public:
  // `ready` outlives this; its owner takes it, and sets its wake_at.
  Timers(TimersOptions options, const TimersStart& start, WallMs now, Ready* ready);
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  // --- what clients ask -------------------------------------------------------------------------
  // `timer` is complete but for id, state and created_at; its next_attempt is set here (a due time
  // in the past means now). SetReply once durable; or a Refusal, then nothing was stored.
  // `idempotency_key` "" means none; `request_body` is what a repeat must equal.
  void Set(ReplyToken token, TimerPtr timer, std::string idempotency_key, std::string request_body,
           WallMs now);
  // CancelReply (it can never fire now), TooLateReply or NotFoundReply.
  void Cancel(ReplyToken token, TenantId tenant, TimerId id, WallMs now);
  // AllGoneReply once durable; from this call on none of them starts.
  void CancelAll(ReplyToken token, TenantId tenant, WallMs now);
  // A dead timer: ReplayReply, and its next attempt starts at once; NotDeadReply or NotFoundReply.
  void Replay(ReplyToken token, TenantId tenant, TimerId id, WallMs now);
  // All dead timers of the tenant in the range (its `finished_before` is set here).
  // ReplayRangeReply once it is written down: then it is done bit by bit, over restarts. `dry_run`:
  // CountReply alone.
  void ReplayRange(ReplyToken token, DeadRange range, bool dry_run, WallMs now);
  // Holds the deliveries to one target, "" all of them, or lets them go on. PausedReply once that
  // is durable: from then on nothing of it starts. kTooManyPaused.
  void Pause(ReplyToken token, std::string target, bool paused);
  // TimerView or NotFoundReply; from memory when the timer, or for the short view its id, is there.
  void Find(ReplyToken token, const FindQuery& query);
  void List(ReplyToken token, const ListQuery& query);    // TimerPage
  void Count(ReplyToken token, const CountQuery& query);  // CountReply

  // --- what came back ---------------------------------------------------------------------------
  // Of its own ops, in the store's order; then, once for the group, GroupCompleted().
  void Complete(Completion done, WallMs now);
  void GroupCompleted();
  void QueryDone(QueryResult result);
  void DeliveryDone(Outcome outcome, WallMs now);
  // Of a started attempt: it waits for the addresses of its target's name and has given its slot
  // back, so another may start: Tick soon.
  void LookupBegan(TimerId id, WallMs now);
  // It has an address; yes: it has a slot again. No: there is none for it, and it is to end as a
  // local fault of its target.
  [[nodiscard]] bool MayConnect(TimerId id, WallMs now);
  // The store failed: nothing starts any more, and every waiting client of an op that is not
  // completed gets kOutcomeUnknown. What is in Ready and not taken is its owner's to drop.
  void StoreFailed();

  // --- for Streams, whose ops share the ids, the order of completions and the heap ---------------
  // For what the op that is queued next makes; it may make nothing.
  [[nodiscard]] TimerId GiveId() { return ++last_id_; }
  // `deadline`: the id given to it, 0: none; `least_at`: no key that it writes has a smaller time;
  // `bytes`: that it brings along, of those that sets may.
  struct LeaseEntry {
    TimerId deadline = 0;
    WallMs least_at = kKeyMax.at;
    size_t bytes = 0;
  };
  void QueueLeaseOp(Op op, const LeaseEntry& entry);
  [[nodiscard]] bool HasRoomFor(size_t bytes) const {
    return unfinished_.set_bytes() + bytes <= options_.sets_queued_bytes_max;
  }
  // Takes out of a completion what it says of deadlines.
  void CompleteLeaseOp(Completion& done, WallMs now);

  // --- time and operation -----------------------------------------------------------------------
  // Does what is due, and at most a bounded number of timers a call; wake_at says when again.
  void Tick(WallMs now);
  void SetNoSpace(bool no_space);  // below storage.min_free: sets are refused, all else goes on
  void StopStarting();             // SIGTERM: no delivery starts from here on, sets still commit

  // When Tick has something to do, if nothing changes before; nullopt: never.
  [[nodiscard]] std::optional<WallMs> WakeAt() const;

  // What is remembered of targets, in the order of their names behind `after`. Costs what it shows.
  [[nodiscard]] TargetPage Targets(std::string_view after, size_t limit, WallMs now) const {
    return admission_.Page(after, limit, now);
  }

  [[nodiscard]] bool first_page_loaded() const { return window_.first_page_loaded(); }
  [[nodiscard]] bool clock_sane() const { return clock_sane_; }
  // When the clock was right for the last time that is known; 0 in a new store. For who must go on
  // while it is not.
  [[nodiscard]] WallMs last_seen() const { return last_seen_; }
  [[nodiscard]] bool paused_all() const { return paused_all_; }
  [[nodiscard]] bool IsPaused(std::string_view target) const;
  // Started and not yet durably settled.
  [[nodiscard]] size_t in_flight() const { return flights_.size(); }
  // Of these, those that have not ended.
  [[nodiscard]] size_t under_way() const { return admission_.in_flight(); }
  // Queued or at the store.
  [[nodiscard]] size_t unfinished_ops() const { return unfinished_.size(); }
  // Of the timers in memory, those in flight until their outcome is durable included.
  [[nodiscard]] size_t window_bytes() const { return window_.heap().bytes() + OutsideBytes(); }
  // No range replay is accepted and not done.
  [[nodiscard]] bool replays_done() const { return replays_.empty(); }
  // Ticks that looked at the heap; the watchdog wants it to advance.
  [[nodiscard]] uint64_t due_scans() const { return due_scans_; }

 private:
  friend class TimersInspector;  // tests/support/invariants.h

  // An attempt under way, or ended with its outcome's op unfinished (then `timer` is null). So is
  // one that was charged and never sent: its target's breaker is open.
  struct Flight {
    TimerPtr timer;
    Admission::Slot slot;
    Key key;
    TenantId tenant;
    size_t bytes;
    bool expired = false;   // it was too late for an attempt: none was made
    bool looks_up = false;  // it waits for the addresses of its target's name
  };
  // Somebody who waits for the count before the replay.
  struct RangeAsked {
    DeadRange range;
    bool dry_run = false;
    uint64_t count = 0;
  };

  [[nodiscard]] size_t OutsideBytes() const { return admission_.staged_bytes() + flight_bytes_; }
  [[nodiscard]] bool RoomToStage() const;
  // Its room is that of lapses, not that of what is staged.
  [[nodiscard]] bool RoomForTop() const;
  [[nodiscard]] bool RoomToLapse() const { return lapses_ + leases_asked_ < options_.lapses_max; }
  [[nodiscard]] bool MayReadLeases() const;
  // What is before it is not the window's, but the backlog's and that of late leases.
  [[nodiscard]] Key Split() const { return std::max(backlog_.split(), late_leases_.split()); }
  // What a timer that is due has to do.
  enum class Due { kStage, kLapse, kWaitOnDisk, kStayLeft };
  [[nodiscard]] Due WhatNow(const Timer& timer, Lane lane) const;
  [[nodiscard]] bool MayPage() const { return !stopping_ && !failed_ && !paused_all_; }
  [[nodiscard]] bool RoomInBacklog() const;
  [[nodiscard]] size_t StagedBytesMax() const;
  [[nodiscard]] bool RoomToStart() const;
  [[nodiscard]] bool SettlingLags() const;
  [[nodiscard]] std::shared_ptr<const std::vector<TimerId>> Firing();
  [[nodiscard]] bool IsFiring(TimerId id) const;
  [[nodiscard]] TimerId DurableFloor(TenantId tenant) const;
  [[nodiscard]] bool Exists(TenantId tenant, TimerId id) const;
  [[nodiscard]] const Timer* InMemory(TimerId id) const;
  [[nodiscard]] bool MayFire(WallMs now) const;
  [[nodiscard]] bool Claims(TimerPtr& timer);
  [[nodiscard]] std::optional<Refusal> WhyNoSet(size_t bytes) const;
  [[nodiscard]] WallMs LeastLive(WallMs now) const;
  [[nodiscard]] WallMs WakeToStart() const;

  void Answer(ReplyToken token, decltype(Reply::what) what);
  void Enqueue(Op op, Unfinished::Entry entry);
  void Ask(ReplyToken token, decltype(Query::what) what);
  void NoteFound(const QueryResult& result);
  void FindElsewhere(ReplyToken token, const FindQuery& query);
  void CompleteSet(Completion& done);
  void CompleteErase(Completion& done);
  void CompleteSettle(Completion& done);
  void CompleteReplay(Completion& done);
  void MeetDeadline(TimerPtr deadline);
  void ForgetDeadline(TimerId id);
  void CompleteLapse(Completion& done);
  void CompleteReplayRange(const Completion& done);
  void CompleteReplayStep(Completion& done);
  void Counted(ReplyToken token, uint64_t count);
  void End(const Key& key, TimerPtr ended);
  void ExpireInsteadOfAttempt(TimerPtr timer);
  void QueueReplayStep(WallMs now);
  [[nodiscard]] bool RoomToReplay() const;
  void FreeFlight(TimerId id);
  void EndLookup(Flight& flight);
  void Rearm(TimerPtr timer);
  void ReleaseHeld(TimerId id);
  void Unstage(WallMs now);
  void StageDue(WallMs now);
  void DropBlocked(WallMs now);
  [[nodiscard]] bool StaysLeft(std::string_view target, Lane lane) const;
  [[nodiscard]] bool WaitsForLot(std::string_view target) const;
  void LeaveOnDisk(const Timer& timer);
  void NoteLeft(const std::vector<RowsLeft>& left);
  void ReadOnFromResumed(WallMs now);
  [[nodiscard]] std::optional<WallMs> ReadsLeftAt() const;
  void TakeLeft(LoadedPage page);
  void Defer(TimerPtr timer);
  void Stage(TimerPtr timer, size_t bytes, Lane lane);
  void LeaveToBacklog(WallMs now);
  void Trim();
  void TakeBacklog(LoadedPage page);
  void TakeParked(Completion& done);
  void Park(TimerPtr timer);
  void PutAway(WallMs now);
  void PutBack(TimerId id, TimerPtr timer);
  void ParkLater(TimerPtr timer);
  void CompletePark(Completion& done);
  void CompletePause(Completion& done);
  void NotePaused(const std::string& target, bool paused);
  void MoveToDue(const Key& key, TimerPtr timer);
  [[nodiscard]] bool WillBeMet(const Timer& timer) const;
  void LeaveBelow(const Key& split, Key first);
  void QueueLateLeases(WallMs now);
  void TakeLateLeases(LoadedPage page);
  void QueueBacklog(WallMs now);
  void BacklogMoved();
  void QueueUnparks();
  void LookAtTargets();
  void Charge(TimerPtr timer, size_t bytes);
  void Settle(const Key& key, TimerPtr timer, const Outcome& outcome);
  void StartStaged();
  void QueueLoad(WallMs now);
  void QueueUpkeep(WallMs now);
  void HoldRetention(WallMs now);

  TimersOptions options_;
  TimerId last_id_;
  WallMs last_seen_;
  WallMs now_;
  WallMs last_tick_;
  bool clock_sane_;
  bool no_space_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  bool low_may_rise_ = false;  // something left `due` since the last Mark
  bool retain_outstanding_ = false;
  bool freeing_ = false;  // dropped timers wait for their memory to be freed
  WallMs marked_low_;
  WallMs next_mark_;
  WallMs next_last_seen_;
  WallMs next_retain_;
  WallMs starts_resume_;  // after a local fault nothing starts before
  uint64_t due_scans_ = 0;
  size_t queries_ = 0;  // asked and not answered
  bool paused_all_ = false;
  size_t parks_ = 0;                                     // ParkOps unfinished
  std::map<std::string, size_t, std::less<>> parks_of_;  // of these, those of each target
  size_t lapses_ = 0;                                    // LapseStreamOps unfinished
  size_t leases_asked_ = 0;  // rows of the page of late_leases_ that is under way
  size_t unpark_loads_ = 0;  // LoadParkedOps unfinished
  WallMs backlog_moved_;     // when the backlog last had room, or had started kLateMovedMin
  size_t late_started_ = 0;  // since then
  WallMs left_asked_;        // when a page of left_ was last asked for
  WallMs next_drop_;
  bool resumed_ = false;  // left_ may have rows that are not due of a target that is not paused
  std::set<std::string> paused_;
  TargetNames paused_names_;  // the same
  WallMs next_put_away_;
  Window window_;
  Backlog backlog_;
  Backlog late_leases_;
  LeftRows left_;
  Parking parking_;
  Admission admission_;
  IdCache ids_;
  Unfinished unfinished_;
  absl::flat_hash_map<TimerId, Flight> flights_;
  std::shared_ptr<const std::vector<TimerId>> firing_;  // the ids of flights_; null: not made yet
  size_t flight_bytes_ = 0;
  size_t unsettled_ = 0;  // of flights_, those that have ended
  absl::flat_hash_map<TimerId, TimerPtr> held_;
  Replays replays_;
  absl::flat_hash_map<ReplyToken, RangeAsked> ranges_asked_;
  absl::flat_hash_map<TenantId, TimerId> floors_;
  absl::flat_hash_map<TenantId, TimerId> durable_floors_;
  absl::flat_hash_set<std::string> idempotency_in_progress_;
  std::deque<std::string> set_keys_;  // of the unfinished sets, in order; "" without a key
  Ready& ready_;
};

}  // namespace belfry
