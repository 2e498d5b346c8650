// stopwatch_model.h - what the stopwatches in the store must be, and what a query must answer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/op.h"
#include "base/stopwatch.h"

namespace belfry::sim {

class StopwatchModel {
 public:
  using Rows = std::map<std::pair<TenantId, std::string>, WallMs>;

  // The result that the op must have.
  OpResult Do(const Op& op);
  [[nodiscard]] StopwatchPage Answer(const StopwatchQuery& query) const;
  [[nodiscard]] bool Has(TenantId tenant, const std::string& name) const {
    return rows_.contains({tenant, name});
  }
  [[nodiscard]] const Rows& rows() const { return rows_; }

 private:
  Rows rows_;
};

}  // namespace belfry::sim
