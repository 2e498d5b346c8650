// outcomes.h - outcomes of attempts in one line, for tests.
#pragma once

#include <optional>
#include <string>

#include "base/delivery.h"

namespace belfry {

inline Outcome Answered(int32_t status, TimerId id = 1, WallMs started = {},
                        std::optional<int64_t> retry_after_ms = std::nullopt) {
  Outcome o;
  o.id = id;
  o.kind = OutcomeKind::kAnswered;
  o.status = status;
  o.started = started;
  o.retry_after_ms = retry_after_ms;
  return o;
}

inline Outcome Unanswered(OutcomeKind kind, TimerId id = 1, WallMs started = {},
                          std::string error = "refused") {
  Outcome o;
  o.id = id;
  o.kind = kind;
  o.error = std::move(error);
  o.started = started;
  return o;
}

}  // namespace belfry
