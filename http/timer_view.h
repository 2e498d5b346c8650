// timer_view.h - timers as clients see them. Loop thread only; pure.
#pragma once

#include <string>

#include "base/query.h"
#include "base/time.h"

namespace belfry {

// {"id":1,"time_left":645}: whole seconds to the asked-for due, rounded up; 0 once expired or
// ended.
void AppendShortView(std::string& out, const TimerView& view, WallMs now);

// The short view and everything else. `lateness_ms` is how long after its due time the first
// attempt began. What does not apply is null. `view.timer` is set.
void AppendFullView(std::string& out, const TimerView& view, WallMs now);

}  // namespace belfry
