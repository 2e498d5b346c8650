// callback.h - the timer that tells somebody how another one ended. Pure.
#pragma once

#include "base/time.h"
#include "base/timer.h"

namespace belfry {

// The callback that this end of `ended` asks for: on_success when it was delivered, on_failure when
// it is dead or was dropped for being late. Null: none; a cancel by its owner calls nobody. A timer
// of the same tenant, due now, without an id and without callbacks of its own; a POST with the body
// {"timer":1,"state":"dead","reason":"exhausted","attempts":10}, `reason` null when there is none.
[[nodiscard]] TimerPtr CallbackOf(const Timer& ended, WallMs now);

}  // namespace belfry
