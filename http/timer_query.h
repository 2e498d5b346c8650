// timer_query.h - the parameters of the timer routes: ids, filters, pages, idempotency keys. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/op.h"
#include "base/query.h"
#include "base/status.h"
#include "http/message.h"
#include "http/query_params.h"

namespace belfry {

// The canonical decimal form of a positive number; nullopt for anything else.
[[nodiscard]] std::optional<TimerId> ParseTimerId(std::string_view text);

// state, due_after, due_before. The message of an error is for the client.
[[nodiscard]] Result<TimerFilter> ParseFilter(const QueryParams& query);

// limit, 1 to kPageMax; kPageDefault when there is none.
[[nodiscard]] Result<int> ParsePageLimit(const QueryParams& query);

// limit and after (an id) on top of the filter.
[[nodiscard]] Result<ListQuery> ParseList(const QueryParams& query, TenantId tenant);

// due_after, due_before, dry_run; finished_before is left to others.
struct ReplayQuery {
  DeadRange range;
  bool dry_run = false;
};
[[nodiscard]] Result<ReplayQuery> ParseReplay(const QueryParams& query, TenantId tenant);

// The value of Idempotency-Key, quoted or bare; "" when there is none. An error is for the client.
[[nodiscard]] Result<std::string> IdempotencyKey(const Request& request);

}  // namespace belfry
