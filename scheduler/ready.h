// ready.h - what the core wants done. Taken once per loop turn with Engine::TakeReady().
//
//   ops         hand to the commit thread, in order. A reply inside an op is released only by that
//               op's completion.
//   deliveries  start now, in order. Each borrows its timer until its Outcome was handed back.
//   queries     run on any thread; hand the result to Engine::QueryDone.
//   replies     answer now: refusals, reads served from memory, and released 201s.
//   wake_at     call Engine::Tick() no later than this; nullopt: nothing is armed.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/delivery.h"
#include "base/op.h"
#include "base/query.h"

namespace belfry {

enum class Refusal {
  kOverloaded,             // 503, nothing stored, Retry-After 1
  kNoSpace,                // 507, nothing stored
  kStopping,               // 503, nothing stored
  kIdempotencyMismatch,    // 422: the key was used with another body
  kIdempotencyInProgress,  // 409: the first request with this key is not answered yet
  kOutcomeUnknown,         // 500: it may have been stored
  kTooManyPaused,          // 409: kPausedTargetsMax are paused already, or the name is too long
  kReadFailed,             // 500: the store could not be read
  kClockWrong,             // 503, nothing stored: the clock cannot be right
};

struct SetReply {
  TimerId id = 0;
};  // 201; also the repeat of a first answer
struct CancelReply {
  TimerId id = 0;
};                     // 200 cancelled
struct TooLateReply {  // 409
  TimerId id = 0;
  enum class Why { kAlreadyFiring, kFired, kDead } why = Why::kFired;
};
struct ReplayReply {  // 202: pending again
  TimerId id = 0;
};
struct NotDeadReply {  // 409
  TimerId id = 0;
  enum class Is { kPending, kRetrying, kFiring, kFired, kCancelled } is = Is::kPending;
};
struct ReplayRangeReply {  // 202: written down, and done bit by bit
  uint64_t count = 0;      // that were dead and in the range when it was asked for
};
struct NotFoundReply {};  // 404
struct AllGoneReply {};   // 200 {}
struct PausedReply {
  std::string target;  // "": all
  bool paused = false;
};  // 200
struct CountReply {
  uint64_t count = 0;
};
struct StopwatchReply {  // 201 or 200: it runs from 0
  std::string name;
  bool created = false;
};
struct StopwatchGoneReply {};  // 204
struct StopwatchListReply {
  StopwatchPage page;
  WallMs now;  // by the stopwatch clock
};
struct UserMadeReply {  // 201
  uint32_t limit = 0;
};
struct UserExistsReply {};  // 409
struct UserGoneReply {};    // 204
struct UserReply {
  UserView user;
  uint32_t default_limit = 0;
};
struct UsersReply {
  UserPage page;
  uint32_t default_limit = 0;
};
struct StreamStartedReply {  // 201
  StreamId stream;
  size_t active = 0;
  uint32_t limit = 0;
  std::vector<StreamId> evicted;
};
struct StreamLimitReply {  // 409
  uint32_t limit = 0;
  std::vector<StreamView> playing;
};
struct StreamRenewedReply {  // 200
  WallMs expires_at;
};
struct StreamEndedReply {};  // 204
struct NotOwnedReply {};     // 403: whether somebody else owns one is not said

struct Reply {
  ReplyToken token = 0;
  std::variant<SetReply, CancelReply, TooLateReply, ReplayReply, NotDeadReply, ReplayRangeReply,
               NotFoundReply, AllGoneReply, PausedReply, CountReply, TimerView, TimerPage,
               StopwatchReply, StopwatchGoneReply, StopwatchListReply, NotOwnedReply, UserMadeReply,
               UserExistsReply, UserGoneReply, UserReply, UsersReply, StreamStartedReply,
               StreamLimitReply, StreamRenewedReply, StreamEndedReply, Refusal>
      what;
};

struct Ready {
  std::vector<Op> ops;
  std::vector<Delivery> deliveries;
  std::vector<Query> queries;
  std::vector<Reply> replies;
  std::optional<WallMs> wake_at;
};

}  // namespace belfry
