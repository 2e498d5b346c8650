#include "http/reply_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/problem.h"

namespace belfry {

Response ResponseTo(Refusal refusal) {
  switch (refusal) {
    case Refusal::kOverloaded:
      return Problem(ProblemKind::kOverloaded, "too much is waiting; nothing was stored");
    case Refusal::kNoSpace:
      return Problem(ProblemKind::kNoSpace, "the disk is nearly full; nothing was stored");
    case Refusal::kStopping:
      return Problem(ProblemKind::kStopping, "the server is stopping; nothing was stored");
    case Refusal::kIdempotencyMismatch:
      return Problem(ProblemKind::kIdempotencyMismatch,
                     "this Idempotency-Key was used with another body");
    case Refusal::kIdempotencyInProgress:
      return Problem(ProblemKind::kIdempotencyInProgress,
                     "the first request with this Idempotency-Key is not answered yet");
    case Refusal::kOutcomeUnknown:
      return Problem(ProblemKind::kOutcomeUnknown,
                     "it may have been stored; repeat with the same Idempotency-Key");
    case Refusal::kTooManyPaused:
      return Problem(ProblemKind::kTooManyPaused, "resume another target first; nothing changed");
    case Refusal::kReadFailed:
      return Problem(ProblemKind::kReadFailed, "the store could not be read");
    case Refusal::kClockWrong:
      return Problem(ProblemKind::kNotReady,
                     "the clock of this server cannot be right, see /ready; nothing was stored");
  }
  CHECK(false);
}

Response Json(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

// A token is a place in the table and how often it was used before, so that none is 0 or repeated.
ReplyToken ReplyTable::Add(const ReplyTo& to, RenderFn render) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(waiting_.size()));
    waiting_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Waiting& waiting = waiting_[index];
  const uint32_t generation = std::max(waiting.generation + 1, 1u);
  waiting = Waiting{};
  waiting.to = to;
  waiting.render = render;
  waiting.generation = generation;
  waiting.taken = true;
  return ReplyToken{generation} << 32 | index;
}

ReplyToken ReplyTable::AddFor(ReplyTaker* taker, uint64_t what) {
  const ReplyToken token = Add({}, nullptr);
  At(token).taker = taker;
  At(token).what = what;
  return token;
}

ReplyTable::Waiting& ReplyTable::At(ReplyToken token) {
  const auto index = static_cast<uint32_t>(token);
  CHECK(index < waiting_.size());
  Waiting& waiting = waiting_[index];
  CHECK(waiting.taken && waiting.generation == token >> 32);
  return waiting;
}

void ReplyTable::Answer(Reply&& reply) {
  Waiting& waiting = At(reply.token);
  const auto* refusal = std::get_if<Refusal>(&reply.what);
  ReplyTaker* const taker = waiting.taker;
  const uint64_t what = waiting.what;
  if (taker == nullptr) {
    Respond(waiting.to,
            refusal ? ResponseTo(*refusal) : waiting.render(reply, waiting, clock_.Wall()));
  }
  waiting.taken = false;
  free_.push_back(static_cast<uint32_t>(reply.token));
  // It may add others.
  if (taker != nullptr) taker->Take(std::move(reply), what);
}

}  // namespace belfry
