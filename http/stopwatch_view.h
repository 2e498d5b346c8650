// stopwatch_view.h - what clients see of stopwatches. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/stopwatch.h"

namespace belfry {

// The name of a user. The view lives as long as the function.
using UserNameFn = std::function<std::string_view(TenantId)>;

// `"tea":1234`
void AppendOwnStopwatch(std::string& out, const Stopwatch& stopwatch, WallMs now);
// `"alice":1234`
void AppendOwnersStopwatch(std::string& out, const Stopwatch& stopwatch, WallMs now,
                           const UserNameFn& user_name);
// `{"user":"alice","name":"tea","started_at":"..."}`. With `server_now` that member too. A start
// that is not known (0) is null.
void AppendStopwatch(std::string& out, const Stopwatch& stopwatch, const UserNameFn& user_name,
                     const WallMs* server_now);

}  // namespace belfry
