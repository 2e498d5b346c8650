// op.h - what the scheduler asks the store to do, and what the store says was done.
//
// Ops run in one FIFO on the commit thread; completions come back in the same order, after the sync
// that made them durable. The order of completions is the order of truth.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/index_in.h"
#include "base/stopwatch.h"
#include "base/stream.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

// Store a new timer under KeyOf(*timer). With an idempotency key it decides on the commit thread: a
// hit younger than kIdempotencyKeepMs stores nothing.
struct PutOp {
  TimerPtr timer;
  std::string idempotency_key;  // "": none
  std::string request_body;     // what a repeat must equal; only with a key
  bool look_up_only = false;    // nothing new is stored: there is no space. Only with a key
};

// The timer at `key` ended: `timer` has its terminal state, `finished`, attempts. Leaves `due` for
// `done` (delivered, cancelled) or `dead`. Names a key, so it is queued only when no other op on
// the id is unfinished. `callback`, a new timer that tells of this end, is stored by the same
// batch, unless the timer is gone; its id is given out like that of a PutOp.
struct SettleOp {
  Key key;
  TimerPtr timer;
  TimerPtr callback = nullptr;
};

// Move the timer from `old_key` to KeyOf(*timer), one batch. Names a key, see SettleOp.
struct RetryOp {
  Key old_key;
  TimerPtr timer;
};

// Cancel whatever is stored under the id, decided on the commit thread.
struct EraseByIdOp {
  TenantId tenant = 0;
  TimerId id = 0;
  WallMs now;
};

// All timers of the tenant up to and including `last_id` cease to exist.
struct FloorOp {
  TenantId tenant = 0;
  TimerId last_id = 0;
};

// Whose pages of `due` they are.
enum class Reader : uint8_t { kWindow, kBacklog, kLeftRows, kLeases };

// Names of targets, sorted; null: none.
using TargetNames = std::shared_ptr<const std::vector<std::string>>;

// Read live timers in key order, after `after` and before `end`. Ends its group: it sees all ops
// before it, none after. Rows of the targets in `leave` are passed over: the page says which.
struct LoadOp {
  uint64_t generation = 0;          // handed back as it is
  Key after;                        // exclusive
  size_t rows_max = 0;              // rows examined, not returned; those passed over not counted
  size_t bytes_max = 0;             // at least one row is examined whatever its size
  Key end = kKeyMax;                // exclusive
  Reader reader = Reader::kWindow;  // handed back as it is
  TargetNames leave = nullptr;      // kLeftRowsMax rows of them end a page as well
  bool leases_only = false;         // all else is passed over and not said: kNotLeasesMax rows or
                                    // kNotLeasesBytesMax of it end a page as well
};

// Bookkeeping. `low`: no live timer has, or will by an op before this one have, a smaller key time,
// parked ones aside. `last_seen`: the clock was believed to be at least here. 0: leave as it is.
struct MarkOp {
  WallMs low;
  WallMs last_seen;
};

// Forget terminal timers that finished before `before`, at most kRetentionRowsMax, and idempotency
// keys that are past their time.
struct RetainOp {
  WallMs before;
  WallMs now;
};

// Move the live timer from `key` out of the pages of LoadOp, to those of its target, at
// KeyOf(*timer): it is due, but may not start yet. No attempt is charged. A timer that is parked
// already may be parked again, at another key or under another target. Names a key, see SettleOp;
// SettleOp, RetryOp and EraseByIdOp find a timer wherever it is, and RetryOp brings it back.
struct ParkOp {
  Key key;
  TimerPtr timer;
  std::string target;  // any name: timers of one name are read back together
};

// As LoadOp, of the timers parked under one number. They stay parked until an op moves them, so
// the next page begins behind this one, and `after` = {} reads from the front again.
// `low`: no live timer of the target is parked at a smaller key, or will be by an op before this
// one; {}: leave it as it is. Nothing below it is looked at any more. It is stored with the next
// commit and does not make one; a Park below it lowers it.
// When no live timer is found from `low` to the end, the number ends: it is never used again.
struct LoadParkedOp {
  TargetNumber target = 0;
  uint64_t generation = 0;  // handed back as it is
  Key after;                // exclusive
  Key low;
  size_t rows_max = 0;   // rows examined, not returned
  size_t bytes_max = 0;  // at least one row is examined whatever its size
};

// A switch that is kept: the deliveries to one target, or to all, are held. Nothing else changes.
struct PauseOp {
  std::string target;  // "": all
  bool paused = false;
};

// Bring a dead timer back, decided on the commit thread: pending, due as it was, next attempt at
// `now` but not before the asked-for due, with a fresh budget of attempts; its history stays.
struct ReplayByIdOp {
  TenantId tenant = 0;
  TimerId id = 0;
  WallMs now;
};

// Which dead timers a range replay brings back. Both times are exclusive.
struct DeadRange {
  TenantId tenant = 0;
  std::optional<WallMs> due_after;
  std::optional<WallMs> due_before;
  WallMs finished_before;  // not those that die later, again or for the first time

  [[nodiscard]] bool Has(WallMs due) const {
    return (!due_after || due > *due_after) && (!due_before || due < *due_before);
  }
};

// Write down that a range is to be replayed; ReplayStepOps do it. `number` is greater than those of
// all that are written down.
struct ReplayRangeOp {
  uint64_t number = 0;
  DeadRange range;
};

// Bring back as ReplayByIdOp does, those that come next in the range written down under `number`.
// One batch; ends its group like LoadOp.
struct ReplayStepOp {
  uint64_t number = 0;
  WallMs now;
};

// Give a user a tenant id: the one that the name was given before, or else one that nobody had.
struct TenantOp {
  std::string user;
};

// Start the stopwatch, or start it again: decided on the commit thread.
struct StopwatchPutOp {
  Stopwatch stopwatch;
};

// The tenant's stopwatch of this name ceases to exist.
struct StopwatchDeleteOp {
  TenantId tenant = 0;
  std::string name;
};

// The ops on users and their streams all decide on the commit thread: whatever comes at once, they
// do it one after the other. A lease whose expires_at is at or before `now` counts as lapsed in
// every one of them, whether or not its deadline was met.

// Make a user that is not there.
struct PutUserOp {
  TenantId tenant = 0;
  std::string user;
  std::optional<uint32_t> limit;  // nullopt: that of StreamStart
};

// Remove a user. Their streams end: what is alive calls nobody; what has lapsed still does.
struct DeleteUserOp {
  TenantId tenant = 0;
  std::string user;
  WallMs now;
};

struct StreamStart {
  TenantId tenant = 0;
  std::string user;
  StreamId stream;
  std::string content;
  int64_t ttl_ms = 0;
  std::string on_expire;
  bool evict_oldest = false;  // at the limit, as many as need be end for this one
  bool require_user = false;  // else a user that is not there is made
  uint32_t limit = 0;         // of users without their own
  TimerId deadline = 0;       // its id is given out like that of a PutOp, whatever comes of it
  WallMs now;
};
// Start a stream, if its user has fewer than the limit. What is known to have lapsed by now is
// counted out in the same batch. No other lease lasts longer than its ttl from `now` on: one that
// does was given by a clock that was ahead, and is brought forward as RenewStreamOp would.
struct StartStreamOp {
  std::unique_ptr<StreamStart> start;
};

// The lease, if it is alive, lasts its ttl from `now` on. Writes the lease and nothing else: its
// deadline stays where it is, see LapseStreamOp; but after the clock was set back it moves to the
// new expiry if that comes before it. A lease that has lapsed is over from then on, by any clock.
struct RenewStreamOp {
  TenantId tenant = 0;
  std::string user;
  StreamId stream;
  WallMs now;
};

// The lease, if it is alive, ends and calls nobody.
struct EndStreamOp {
  TenantId tenant = 0;
  std::string user;
  StreamId stream;
  WallMs now;
};

// A deadline was met, `deadline` as it was stored; it may have been moved since. If its lease was
// renewed, it moves to the lease's expires_at. Else the lease is over, and whoever is to be told of
// it is called by a timer with the id `callback`, which is given out like that of a PutOp: all in
// one batch.
struct LapseStreamOp {
  TimerPtr deadline;
  TimerId callback = 0;
  WallMs now;
};

struct Op {
  ReplyToken token = 0;  // released by this op's completion and nothing else
  std::variant<PutOp, SettleOp, RetryOp, EraseByIdOp, FloorOp, LoadOp, MarkOp, RetainOp, ParkOp,
               LoadParkedOp, PauseOp, ReplayByIdOp, ReplayRangeOp, ReplayStepOp, TenantOp,
               StopwatchPutOp, StopwatchDeleteOp, PutUserOp, DeleteUserOp, StartStreamOp,
               RenewStreamOp, EndStreamOp, LapseStreamOp>
      what;
};

enum class OpResult {
  kDone,       // Put stored, Settle settled, Retry and Park moved, ReplayById brought back,
               // StopwatchPut made a new one, all others done
  kReplayed,   // Put: this idempotency key stored `first_id` before; nothing stored now
  kMismatch,   // Put: the idempotency key was used with another body; nothing stored
  kUnknown,    // Put that only looks up: the key was not used; nothing stored
  kCancelled,  // EraseById: cancelled now, or it was already. ReplayById: it was
  kFired,      // EraseById, ReplayById: too late, delivered
  kDead,       // EraseById: too late, dead
  kAlive,      // ReplayById: it is not dead, see `state`
  kDamaged,    // ReplayById: its record cannot be read
  kReset,      // StopwatchPut: there was one
  kGone,       // no such timer or stopwatch for this tenant, or at or below its floor; nothing
          // changed. LoadParked: nothing is parked under this number. Ops on users and streams:
          // no such user; LapseStream: no such lease; RenewStream: the same, or it has lapsed,
          // which is settled
  kRefused,  // Park, Pause: the name is longer than kTargetNameBytesMax, or one more than
             // kParkedTargetsMax or kPausedTargetsMax; nothing changed. Tenant: the same with
             // kUserNameBytesMax and kTenantsMax
  kExists,   // PutUser: the user is there; nothing changed
  kFull,     // StartStream: at the limit; none was started
};

// Rows of one target that a page passed over: the first and the last of them.
struct RowsLeft {
  std::string target;
  Key first;
  Key last;
};

struct LoadedPage {
  uint64_t generation = 0;
  Reader reader = Reader::kWindow;
  std::vector<TimerPtr> timers;  // in key order, those above their tenant's floor
  std::vector<RowsLeft> left;    // Load: one for each target that was passed over
  Key last_examined;             // == LoadOp.after when nothing was examined
  // `due` before the op's end, or the target, holds nothing after last_examined.
  bool ended = false;
};

// Of an op on a user or a stream.
struct StreamResult {
  StreamId stream;     // StartStream: as given
  uint32_t limit = 0;  // StartStream: that holds for the user. PutUser: as given, 0: none
  size_t active = 0;   // StartStream: how many are alive, a new one included
  std::string user;    // StartStream, kFull: as given; what is alive is for a UserQuery to say,
  WallMs now;          // with this `now`: a list in every completion could be any amount
  std::vector<StreamId> evicted;   // StartStream: ended for the new one
  WallMs expires_at;               // RenewStream, done
  std::vector<TimerId> deadlines;  // that are not there any more
  std::vector<TimerPtr> moved;     // RenewStream, StartStream: deadlines that are earlier now, as
                                   // stored
};

// `index()` of the op's variant comes back as `kind`, so that a completion names its op.
struct Completion {
  size_t kind = 0;
  ReplyToken token = 0;
  TenantId tenant = 0;  // of the op's timer; Tenant, done: of the user
  TimerId id = 0;       // of the op's timer; StartStream, LapseStream: of the deadline; 0 for all
                        // ops without one
  OpResult result = OpResult::kDone;
  TimerId first_id = 0;     // kReplayed
  TimerId floor = 0;        // Floor: its last_id
  TimerPtr timer;           // the record as stored, if the timer is alive after this op; else null
  TimerPtr ended;           // Settle, done: the record as stored
  TimerPtr callback;        // Settle, done: the record as stored, if there was one
  LoadedPage page;          // Load, LoadParked. ReplayStep: `timers` alone, those brought back, as
                            // stored
  size_t removed = 0;       // Retain: terminal timers forgotten
  size_t removed_dead = 0;  // Retain: of these, dead letters
  bool more = false;        // Retain, ReplayStep: the step was full, the next one goes on
  TimerState state = TimerState::kPending;  // ReplayById, kAlive

  // Park, done: the number and the key that the timer is parked under now; `timer` is null.
  // Refused: `timer` is what the op brought. Settle, Retry, EraseById, done: the number that it was
  // parked under, 0: it was not. LoadParked: as asked.
  TargetNumber target = 0;
  Key parked_at;
  std::string target_name;    // Park, Pause: as given
  bool target_ended = false;  // LoadParked: the number is never used again
  bool paused = false;        // Pause: as given

  Stopwatch stopwatch;  // StopwatchPut: as given. StopwatchDelete: when there was one, as it was
  std::unique_ptr<StreamResult> stream;  // of ops on a user or a stream that changed it, or kFull
};

template <typename T>
constexpr size_t kOpKind = IndexIn<T, decltype(Op::what)>::value;

}  // namespace belfry
