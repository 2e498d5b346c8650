#include "storage/stopwatch_reads.h"

#include <algorithm>
#include <limits>

#include "storage/entry.h"
#include "storage/keys.h"

namespace belfry {
namespace {

Result<bool> Owns(const KvView& view, TenantId tenant, const std::string& name) {
  const Result<Found> found = view.Get(Cf::kStopwatch, StopwatchKey(tenant, name));
  if (!found.ok()) return found.status();
  return found->has_value();
}

Result<Stopwatch> RowOf(const KvIterator& row, const std::optional<StopwatchOwner>& owner) {
  if (!owner) return Corruption("stopwatch holds a key that does not parse");
  const Result<WallMs> started_at = DecodeStopwatch(row.key(), row.value());
  if (!started_at.ok()) {
    return Corruption("the stopwatch " + std::string(owner->name) + " of tenant " +
                      std::to_string(owner->tenant) + ": " + started_at.status().message());
  }
  return Stopwatch{owner->tenant, std::string(owner->name), *started_at};
}

class Lister {
 public:
  Lister(const KvView& view, const StopwatchQuery& query) : view_(view), query_(query) {}

  Result<StopwatchPage> Page() {
    const StopwatchCursor from = query_.after.value_or(StopwatchCursor{});
    for (size_t part = from.part; part < query_.names.size(); ++part) {
      const Result<bool> owns = Owns(view_, query_.tenant, query_.names[part]);
      if (!owns.ok()) return owns.status();
      if (*owns) continue;
      if (!query_.after) return NotOwned();
      passed_over_.push_back(part);
    }
    for (size_t part = from.part; part < query_.names.size() && !page_.next; ++part) {
      if (std::find(passed_over_.begin(), passed_over_.end(), part) != passed_over_.end()) continue;
      if (Status s = Owners(part, part == from.part ? from.tenant : 0); !s.ok()) return s;
    }
    if (query_.own && !page_.next) {
      if (Status s = Own(from.name); !s.ok()) return s;
    }
    return std::move(page_);
  }

 private:
  static StopwatchPage NotOwned() {
    StopwatchPage page;
    page.owned = false;
    return page;
  }

  // True: the page is full, and goes on after the last row.
  bool Full(size_t part) {
    if (page_.rows.size() < query_.rows_max) return false;
    page_.next = StopwatchCursor{part, last_.tenant, last_.name};
    return true;
  }

  Status Owners(size_t part, TenantId after) {
    last_ = {after, ""};
    if (after == std::numeric_limits<TenantId>::max()) return {};
    const std::string& name = query_.names[part];
    const auto rows =
        view_.Scan(Cf::kStopwatch, StopwatchNameKey(name, after + 1), StopwatchNameKeysEnd(name));
    for (; rows->Valid(); rows->Next()) {
      if (Full(part)) return {};
      Result<Stopwatch> row = RowOf(*rows, ParseStopwatchNameKey(rows->key()));
      if (!row.ok()) return row.status();
      last_.tenant = row->tenant;
      page_.rows.push_back(std::move(*row));
    }
    return rows->status();
  }

  Status Own(const std::string& after) {
    last_ = {0, after};
    const std::string behind = StopwatchKey(query_.tenant, after) + '\0';
    const auto rows = view_.Scan(Cf::kStopwatch, behind, StopwatchKeysEnd(query_.tenant));
    for (; rows->Valid(); rows->Next()) {
      if (Full(query_.names.size())) return {};
      Result<Stopwatch> row = RowOf(*rows, ParseStopwatchKey(rows->key()));
      if (!row.ok()) return row.status();
      last_.name = row->name;
      const auto& names = query_.names;
      const bool shown = std::find(names.begin(), names.end(), row->name) != names.end();
      if (!shown) page_.rows.push_back(std::move(*row));
    }
    return rows->status();
  }

  struct Last {
    TenantId tenant = 0;
    std::string name;
  };

  const KvView& view_;
  const StopwatchQuery& query_;
  std::vector<size_t> passed_over_;  // names that are owned no more
  StopwatchPage page_;
  Last last_;
};

}  // namespace

Result<StopwatchPage> ListStopwatches(const KvView& view, const StopwatchQuery& query) {
  return Lister(view, query).Page();
}

}  // namespace belfry
