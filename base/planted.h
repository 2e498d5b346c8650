// planted.h - bugs that can be switched on, to prove that the tests would catch them.
//
// Only a build with BELFRY_PLANTED_BUGS has them (tests/planted_bugs_test); everywhere else
// Planted() is a constant false and the compiler removes the branch. One thread.
#pragma once

namespace belfry {

enum class Bug {
  kNone,
  // scheduler
  kAnswerBeforeCommit,        // the 201 leaves when the op is queued
  kArmBeforeCommit,           // a timer is in the heap before it is durable
  kCancelOnlyInHeap,          // a cancel removes from the heap and writes nothing
  kClockBackRefires,          // a clock step back loads fired keys again from memory
  kWatermarkPastLiveTimer,    // `low` is raised past what is in flight
  kTiesLost,                  // the heap orders by time alone and takes equal times for one timer
  kStalePageAccepted,         // a page asked for before an eviction is taken
  kPageArmsQueuedCancel,      // a page arms an id that has an unfinished op
  kOutcomeNotDurable,         // a slot is freed when the outcome is queued, and its op is not sent
  kSetInsteadOfCount,         // unfinished ops are a set of ids, not a count per id
  kHorizonInfiniteOnSkipped,  // a page whose rows were all skipped counts as the end
  kWakeForgotten,             // wake_at does not count the next page in
  kWrongClockFires,           // a clock that cannot be right is believed
  kUpkeepDuringStop,          // a stop goes on loading pages and marking
  kStagedUncounted,           // what left the heap does not count against the window
  kLookupTakesASlot,          // an attempt that looks its target's name up has a slot
  kLookupIgnored,             // a target starts more although its name is being looked up
  kLookupEndForgotten,        // a lookup that ends does not give its target a turn
  kConnectsWithoutASlot,      // who has found an address connects though there is no slot for it
  kUnsettledUnbounded,        // attempts start however many outcomes are not durable
  kIdCacheNotRefreshed,       // the id cache keeps what it knew when an op on the id completes
  kStaleReadEntersIdCache,    // the id cache takes a read during which an op on the id completed
  kBreakerNeverCloses,        // a probe that succeeds changes nothing
  kHalfOpenLetsTwo,           // a probe under way does not keep the next from starting
  kOpenWaitChargesAtOnce,     // a timer of an open target is charged without its wait
  kOpenWaitNeverCharges,      // a timer of an open target waits for ever
  kBlockedTargetForgotten,    // a blocked target is not looked at when its time has come
  kOpenTargetNotKept,         // an open target is forgotten with its last timer
  kRetryAfterNotOfTarget,     // Retry-After delays the timer and not its target
  kLimitNeverHalved,          // an overloaded target keeps its limit
  kLatenessOfFirstAttemptOnly,  // a retry starts however late it is
  kReplayKeepsBudget,           // a replayed timer has only the attempts that were left: none
  kCallbackArmedEarly,          // a callback is in the heap before it is durable
  kReplayNotResumed,            // a start forgets the range replays that were accepted
  kSlowTakeAllSlots,            // targets that hang may have every slot
  kParkBelowCursorForgotten,    // what is parked behind the cursor of its lot is not read back
  kBacklogSkipsDeferred,        // a timer that has to wait on disk is behind the backlog's cursor
  kLeftRowForgotten,            // the first row that was passed over is never looked at again
  kLeftStalePageAccepted,       // a page of rows that were passed over hides those behind it
  kResumedRowsStayLeft,         // rows that were passed over before they were due stay on disk
  kBacklogTakesAllSlots,        // the backlog leaves no slots to on-time timers
  kPauseNotAskedOnStart,        // the switches of the store are not looked at when it is opened
  kPausedAreCharged,            // waiting for a paused target counts as an attempt
  kStrangersOpHolds,            // what one tenant asks for under an id holds another's timer back
  kLapseNotRearmed,             // a deadline that moved on is not armed again
  kLapseCallbackForgotten,      // the call that tells of a lapse is stored and not armed
  kStreamDeadlineNotArmed,      // the deadline of a new lease is not armed
  kRenewalAnswersEarly,         // the 200 of a heartbeat leaves when its op is queued
  kMovedDeadlineNotArmed,       // a deadline that was brought forward stays where it was in memory
  kLapseBeyondCapForgotten,     // a deadline that is met when too many were is met by nobody
  kLapseCapSpins,               // then the loop wakes for what it may not do yet
  kLapseWaitsForBacklog,        // late deadlines are read only while the backlog has room
  kLateLeaseNotInLow,           // `low` is raised past a late deadline that is only on disk
  kStreamsBelieveWrongClock,    // streams start by a clock that cannot be right
  kEndsBelieveWrongClock,       // what has lapsed when it is ended is decided by one
  kRefusedStartForgotten,       // a refused start that waits for its list is never answered
  // storage
  kAcknowledgeBeforeSync,        // the commit is not synced
  kRetryAsTwoBatches,            // delete the old key, commit, put the new key, commit
  kWatermarkNotLowered,          // a put below `low` does not lower it
  kFloorNotHonouredByPage,       // a page returns rows below the floor
  kOpBlindToItsGroup,            // EraseById does not see the writes of its own group
  kDropRuleNotLowered,           // compaction takes what ended after a clock step back
  kRetentionTakesTooMuch,        // retention forgets what ended a second too late for it
  kLateOutcomeCountsBelowFloor,  // settling below the floor still changes counters
  kCallbackInItsOwnBatch,        // the cause is settled, commit, the callback is put
  kReplayLeavesDeadRow,          // the row in `dead` stays when its timer is brought back
  kLimitIgnoresItsGroup,         // a start does not count those of its own group
  kLapseIgnoresRenewal,          // a deadline that is met ends the lease, renewed or not
  kRenewalRevives,               // a heartbeat brings back what has lapsed
  kLateRenewalSettlesNothing,    // a 404 leaves what has lapsed to the next clock
  kLeaseOutlastsItsTtl,          // a start leaves leases of a clock that was ahead as they are
  kEndLeavesDeadline,            // a stream that was ended lapses all the same
  kLapseForgottenByStart,        // what a start counts out tells nobody of its lapse
  kFullForEver,                  // a user known to be at the limit stays so when a stream ends
  // stopwatches
  kStopwatchLeftByName,     // a delete leaves the row by (name, user)
  kStopwatchNameUnended,    // a listing of `tea` has `teapot` too
  kStopwatchNegative,       // what an earlier run started later than now has a negative time
  kStopwatchAnsweredEarly,  // the answer leaves when the op is queued
  kStopwatchWrongClock,     // a clock that cannot be right is measured with
  kFeedGapHidden,           // a subscriber that events were lost for goes on as if there were none
  kFeedKeepsNameNotOwned,   // events of a name go on after its subscriber owns none any more
  kFeedForgetsTheLast,      // a full ring gives up a reset that nothing has followed
  kFeedResumesOverOwning,   // who resumes hears of a name what happened before they owned it
};

#ifdef BELFRY_PLANTED_BUGS
inline Bug planted_bug = Bug::kNone;
inline bool Planted(Bug bug) { return planted_bug == bug; }
#else
constexpr bool Planted(Bug) { return false; }
#endif

}  // namespace belfry
