// limits.h - a bound on everything that can grow, in one place; units last. What an operator may
// change is in daemon/config.h, whose bounds are named here too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace belfry {

// One request.
constexpr size_t kRequestHeadBytesMax = 16 * 1024;  // request line and headers
constexpr size_t kRequestBodyBytesMax = 256 * 1024;
constexpr int kJsonDepthMax = 16;
constexpr size_t kIdempotencyKeyBytesMax = 255;
constexpr size_t kRequestIdBytesMax = 128;
constexpr int kPipelinedRequestsMax = 64;       // answered or queued, per connection
constexpr size_t kDrainBytesMax = 1024 * 1024;  // read and dropped after an early error
constexpr int64_t kDrainTimeoutMs = 2 * kSecondMs;
constexpr size_t kRequestHeadersMax = 256;
constexpr size_t kRequestHeadersReserved = 16;  // room made at once for a request's headers
constexpr int kLeadingEmptyLinesMax = 4;        // skipped before a request line
constexpr size_t kChunkOverheadMax = 8;         // wire bytes per body byte, chunked

// Client connections.
constexpr size_t kReadBufferBytes = 64 * 1024;  // one, shared by all connections of a loop
constexpr size_t kUnsentBytesMax = 256 * 1024;  // of one connection; beyond, it is not read from
constexpr size_t kBufferedBytesMax = 64 * 1024 * 1024;  // half read or unsent, all connections
constexpr int kAcceptsPerTurnMax = 64;
constexpr int64_t kAcceptRetryMs = 100;     // after running out of descriptors
constexpr int64_t kConnectionTickMs = 250;  // how exact the time-outs below are
constexpr int64_t kHeadTimeoutMs = 5 * kSecondMs;
constexpr int64_t kBodyTimeoutMs = 10 * kSecondMs;
constexpr int64_t kBodyBytesPerSecondMin = 500;      // of a body that takes longer than that
constexpr size_t kStreamUnsentBytesMax = 64 * 1024;  // of a streamed answer; then its source waits
constexpr int64_t kWriteStallTimeoutMs = 10 * kSecondMs;
constexpr int64_t kIdleTimeoutMs = 60 * kSecondMs;
constexpr int64_t kCrowdedIdleTimeoutMs = kSecondMs;  // when there is no room for another client
constexpr int64_t kCorsMaxAgeSeconds = 600;
constexpr size_t kFieldErrorsMax = 16;         // named in one answer
constexpr size_t kEchoedBytesMax = 100;        // of a name that a client sent, in an answer
constexpr size_t kListBytesMax = 1024 * 1024;  // of one page; a longer one ends early

// Users and their tokens.
constexpr size_t kUserNameCharsMax = 128;
constexpr size_t kUserNameBytesMax = 4 * kUserNameCharsMax;
constexpr size_t kTenantsMax = 100'000;  // users that ever had a token
constexpr size_t kTokensMax = 100'000;
constexpr size_t kTokensFileBytesMax = 64 * 1024 * 1024;
constexpr uint32_t kWrongTokensMax = 100;  // of one address in kWrongTokensSeconds; beyond: 429
constexpr int64_t kWrongTokensSeconds = 10;
constexpr size_t kWrongTokenAddressesMax = 10'000;  // counted at once

// One timer.
constexpr size_t kUrlBytesMax = 8 * 1024;
constexpr size_t kHeadersMax = 64;
constexpr size_t kHeaderBytesMax = 8 * 1024;  // names and values of one timer together
constexpr size_t kBodyBytesMax = kRequestBodyBytesMax;
constexpr uint32_t kAttemptsMax = 50;
constexpr size_t kScheduleMax = 50;
constexpr int64_t kRetryDelayMsMax = 7 * kDayMs;
constexpr size_t kHistoryMax = 64;
constexpr size_t kErrorBytesMax = 120;
constexpr int64_t kTimeoutMsMin = 100;
constexpr int64_t kTimeoutMsMax = 60 * kSecondMs;
constexpr int64_t kRetryAfterMsMax = kDayMs;
constexpr int64_t kIdempotencyKeepMs = kDayMs;
constexpr int64_t kMaxLatenessMsMax = 3660 * kDayMs;

// Stream slots.
constexpr uint32_t kStreamLimitMax = 256;  // of one user at once: one answer lists them all
constexpr int64_t kStreamTtlMsMin = kSecondMs;
constexpr int64_t kStreamTtlMsMax = 30 * kDayMs;
constexpr size_t kStreamContentCodePointsMax = 256;
constexpr size_t kStreamContentBytesMax = 4 * kStreamContentCodePointsMax;
constexpr size_t kLeaseKeyBytesMax = 1 + 4 + kUserNameBytesMax + 1 + 16;  // see storage/keys.h
constexpr size_t kStreamOpsQueuedMax = 16'384;  // heartbeats on their way to disk, and half as
                                                // many starts; beyond: 503
constexpr size_t kLapsesMax = 1024;             // deadlines looked at and not durably done with
constexpr size_t kStreamListsMax = 8;   // refused starts whose answer is being read; others wait
constexpr size_t kFullUsersMax = 1024;  // known to be at their limit until something changes

// Lists.
constexpr int kPageDefault = 100;
constexpr int kPageMax = 1000;
constexpr int kPageExaminedMax = 10'000;
constexpr int kStopCheckRows = 1000;  // a scan asks this often whether it is still wanted
constexpr size_t kPageBytesMax = 8 * 1024 * 1024;  // of records in memory; then the page ends early

// The scheduler.
constexpr size_t kLoadRowsMax = 1024;  // rows examined by one Load
constexpr size_t kLoadBytesMax = 512 * 1024;
constexpr size_t kLeftRowsMax = 16'384;  // rows of paused targets passed over by one Load
constexpr size_t kNotLeasesMax = 4096;   // timers passed over by one Load of deadlines
constexpr size_t kNotLeasesBytesMax = 8 * 1024 * 1024;  // the same
constexpr int64_t kLeftIntervalMs = 250;  // what was passed over is looked at at least this often
constexpr int64_t kLoadIntervalMs = 50;   // unless the horizon is near
constexpr int64_t kHorizonNearMs = 60 * kSecondMs;
constexpr size_t kDuePerTickMax = 256;        // timers staged in one loop turn
constexpr size_t kDeferredPerTickMax = 1024;  // left to the backlog in one
constexpr size_t kUnsettledMax = 256;  // attempts that ended, and whose outcome is not durable yet
constexpr size_t kStartsPerTickMax = 5;   // attempts started in one: a turn stays below 2 ms
constexpr size_t kStagedMax = 20'000;     // due, waiting for a slot of their target: on time
constexpr size_t kLateStagedMax = 2048;   // the same of the backlog, a page more at most
constexpr size_t kStagedRoomMin = 64;     // that one target may have staged, however many others do
constexpr size_t kStagedRoomShare = 4;    // it may have a quarter of what is left of kStagedMax
constexpr size_t kTargetBytesShare = 64;  // of the bytes staged: what a blocked target may have
constexpr size_t kLateMovedMin = 128;     // starts a second of a backlog that moves on
constexpr int64_t kDropIntervalMs = 50;   // a full lane is rid of what is blocked
constexpr size_t kWindowShare = 4;  // of the window's bytes: what is staged, what is in flight
constexpr size_t kSetsQueuedMax = 16'384;  // sets on their way to disk; beyond: 503
constexpr size_t kSetsQueuedBytesMax = 64 * 1024 * 1024;
constexpr size_t kQueriesQueuedMax = 1024;  // reads waiting in the pool; beyond: 503
constexpr int kCountScansMax = 2;           // counts at once that look at every timer
constexpr int64_t kLastSeenIntervalMs = kMinuteMs;
constexpr int64_t kMarkIntervalMs = kSecondMs;  // how often `low` may be raised
constexpr int64_t kClockBackMaxMs = kDayMs;     // started further back than this: refuse to fire
constexpr int64_t kClockAheadMaxMs = 400 * kDayMs;
constexpr int64_t kSleepMaxMs = kSecondMs;  // the loop looks at the clock at least this often
constexpr int64_t kLocalFaultPauseMs = kSecondMs;     // nothing starts, no attempt was charged
constexpr int64_t kLocalFaultDelayMsMax = kMinuteMs;  // of a timer whose faults repeat
constexpr int64_t kLateMs = kSecondMs;                // due for longer, it is the backlog's
constexpr int64_t kPromptMs = kSecondMs;              // a target that answers within it is prompt
constexpr size_t kSlowShare = 2;       // of the slots: for targets that are not prompt
constexpr size_t kSlowLateMax = 8;     // attempts of the backlog at one such target
constexpr size_t kLateLookups = 2;     // times what the ramp allows: with those that look names up
constexpr size_t kBacklogShare = 2;    // of the slots: for the backlog, unless nothing else is due
constexpr size_t kOnTimeInRowMax = 3;  // starts, then one of the backlog if it may
constexpr int64_t kOnTimeIdleMs = kSecondMs;  // without such a start the backlog may have all slots
constexpr size_t kRampStart = 64;             // attempts of the backlog at first
constexpr int64_t kRampStepMs = 100;          // twice as many
constexpr int64_t kRampForgetMs = 10 * kSecondMs;
constexpr size_t kUnparkBelow = 128;           // of a target's staged timers: then it is read back
constexpr size_t kUnparkLoadsMax = 4;          // pages of parked timers asked for at once
constexpr size_t kUnparkRowsMax = 256;         // of one such page
constexpr size_t kParksMax = 2048;             // timers on their way to be parked
constexpr int64_t kParkRefusedMs = kMinuteMs;  // no room for another lot: due again so much later
constexpr size_t kTargetsKept = 4096;          // remembered, those with nothing to do included
constexpr size_t kTenantsKept = 64;            // those with nothing to do included
constexpr size_t kTargetsPerTickMax = 256;     // blocked targets looked at in one turn
constexpr size_t kOpenChargesPerTickMax = 64;  // attempts charged to waiting timers in one turn
constexpr int64_t kOpenWaitMsMin = kSecondMs;  // for an open target, before an attempt is charged
constexpr int64_t kTargetPauseMsMax = 5 * kMinuteMs;  // of a target that sent Retry-After
constexpr int64_t kHalvingIntervalMs = kSecondMs;     // of a target's limit
constexpr uint64_t kTargetRateMax = 100'000;          // attempts a second
constexpr int64_t kRetentionIntervalMs = kMinuteMs;
constexpr size_t kRetentionRowsMax = 4096;     // rows removed by one step
constexpr int64_t kRetentionHeldMs = kHourMs;  // after a clock step forward nothing is forgotten

// Replays of dead letters by range: 5,120 timers a second at most.
constexpr size_t kReplaysMax = 16;  // accepted and not done; beyond: 503
constexpr int64_t kReplayIntervalMs = 50;
constexpr size_t kReplayRowsMax = 256;       // brought back by one step
constexpr size_t kReplayExaminedMax = 1024;  // rows looked at by one
constexpr size_t kReplayBytesMax = 512 * 1024;

// Stopwatches.
constexpr size_t kStopwatchPageRows = 500;         // read from the store at once
constexpr size_t kStopwatchOpsQueuedMax = 16'384;  // on their way to disk; beyond: 503
constexpr size_t kFeedEventsMax = 8192;            // kept for those who resume
constexpr size_t kFeedNamesMax = 64;               // of one subscriber
// Of all event streams, some 320 bytes each: one of 10,000 streams may have a dozen.
constexpr size_t kFeedNamesOfAllMax = 131'072;
constexpr int64_t kFeedCommentMs = 15 * kSecondMs;
constexpr size_t kFeedSparedShare = 8;  // of the connections, an eighth is for no event stream
constexpr size_t kFeedWritesPerTurnMax = 1024;  // event streams that are told something in one turn

// The store.
constexpr size_t kGroupOpsMax = 4096;               // applied together, then handed back
constexpr size_t kGroupBytesMax = 4 * 1024 * 1024;  // of records in one group, and of one batch
constexpr size_t kUserOpBytes = 16 * 1024;  // what an op on all streams of a user counts as there
constexpr int64_t kDurableIntervalMs = kSecondMs;
constexpr int64_t kCommitStallMs = 2 * kSecondMs;  // waiting longer than that is not ready
constexpr uint64_t kAcceptLossIdJump = uint64_t{1} << 20;
constexpr uint32_t kAcceptLossTenantJump = uint32_t{1} << 17;  // more than kTenantsMax
constexpr size_t kTargetNameBytesMax = 512;                    // scheme, a host of 253 bytes, port
constexpr size_t kParkedTargetsMax = 10'000;  // that timers are parked under at once
constexpr size_t kPausedTargetsMax = 1000;    // by name; all at once is one switch

// Delivery.
constexpr size_t kResponseBytesMax = 16 * 1024;  // read from a receiver, then cut
constexpr int64_t kConnectTimeoutMs = 5 * kSecondMs;
constexpr int64_t kResolveTimeoutMs = 5 * kSecondMs;
constexpr size_t kResponseHeadBytesMax = 64 * 1024;  // status lines and headers of one answer
constexpr size_t kTransfersPerMulti = 128;           // a curl multi handle is cheapest below this
constexpr size_t kMultisMax = 16;
constexpr size_t kIdleTransfersMax = 256;     // easy handles kept for the next attempt
constexpr size_t kIdleConnectionsMax = 1024;  // kept open for reuse, all targets together
constexpr int64_t kConnectionIdleMsMax = 30 * kSecondMs;  // older idle connections are not reused
constexpr int64_t kConnectionLifeMsMax = 300 * kSecondMs;
constexpr size_t kDnsNamesMax = 4096;                         // answers kept
constexpr size_t kDnsQueriesMax = 2048;                       // names that somebody waits for
constexpr size_t kDnsChannelQueriesMax = 2 * kDnsQueriesMax;  // names asked for by one channel
constexpr size_t kDnsAddressesMax = 16;                       // of one name
constexpr int64_t kDnsTtlMsMin = 5 * kSecondMs;
constexpr int64_t kDnsTtlMsMax = 60 * kSecondMs;
constexpr int64_t kDnsNegativeTtlMs = 5 * kSecondMs;

static_assert(kUrlBytesMax < kRequestBodyBytesMax);
static_assert(kAcceptLossTenantJump > kTenantsMax);
static_assert(kRetryDelayMsMax <= UINT32_MAX);  // an open wait is kept in 32 bits
static_assert(kLoadBytesMax >= 2 * kRequestBodyBytesMax);

}  // namespace belfry
