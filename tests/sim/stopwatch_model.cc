#include "tests/sim/stopwatch_model.h"

#include <algorithm>
#include <tuple>

namespace belfry::sim {

OpResult StopwatchModel::Do(const Op& op) {
  if (const auto* put = std::get_if<StopwatchPutOp>(&op.what)) {
    const Stopwatch& s = put->stopwatch;
    const bool created = rows_.insert_or_assign({s.tenant, s.name}, s.started_at).second;
    return created ? OpResult::kDone : OpResult::kReset;
  }
  const auto& gone = std::get<StopwatchDeleteOp>(op.what);
  return rows_.erase({gone.tenant, gone.name}) > 0 ? OpResult::kDone : OpResult::kGone;
}

// All rows with where they stand, then those behind the cursor.
StopwatchPage StopwatchModel::Answer(const StopwatchQuery& query) const {
  const auto& names = query.names;
  std::vector<std::tuple<size_t, TenantId, std::string, Stopwatch>> all;
  for (const auto& [key, started_at] : rows_) {
    const auto& [tenant, name] = key;
    const auto part =
        static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    const Stopwatch row{tenant, name, started_at};
    if (part < names.size()) {
      if (Has(query.tenant, name)) all.emplace_back(part, tenant, "", row);
    } else if (query.own && tenant == query.tenant) {
      all.emplace_back(part, 0, name, row);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a)) <
           std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b));
  });
  StopwatchPage page;
  for (const std::string& name : names) page.owned &= query.after || Has(query.tenant, name);
  if (!page.owned) return page;
  for (const auto& [part, tenant, name, row] : all) {
    if (query.after) {
      const StopwatchCursor& at = *query.after;
      if (std::tie(part, tenant, name) <= std::tie(at.part, at.tenant, at.name)) continue;
    }
    if (page.rows.size() < query.rows_max) page.rows.push_back(row);
  }
  return page;
}

}  // namespace belfry::sim
