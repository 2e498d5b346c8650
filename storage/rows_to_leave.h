// rows_to_leave.h - the rows that a page passes over: those of targets that may not start.
//
// One scan, one thread. A row is judged by its URL alone, without building its timer, so that a
// million rows of a paused target keep nobody waiting; its checksum is looked at all the same.
// Deadlines of leases have no target and are never among them; a page may be of nothing else.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/op.h"
#include "base/status.h"

namespace belfry {

class RowsToLeave {
 public:
  // `left` outlives this: what was passed over, target by target; nothing when it is all but
  // deadlines.
  RowsToLeave(TargetNames names, bool leases_only, std::vector<RowsLeft>* left)
      : names_(std::move(names)),
        leases_only_(leases_only),
        left_(left),
        place_(names_ ? names_->size() : 0) {}

  // So many that the page is to end.
  [[nodiscard]] bool full() const {
    if (!leases_only_) return rows_ >= kLeftRowsMax;
    return rows_ >= kNotLeasesMax || bytes_ >= kNotLeasesBytesMax;
  }
  // Whether the row of this key is passed over. kCorruption: these are not the bytes of a timer.
  [[nodiscard]] Result<bool> Leaves(const Key& key, std::string_view key_bytes,
                                    std::string_view record);

 private:
  bool Names(std::string_view target, const Key& key);

  const TargetNames names_;
  const bool leases_only_;
  std::vector<RowsLeft>* const left_;
  std::vector<size_t> place_;  // of each name in left_, from 1; 0: none of it was passed over yet
  size_t last_ = 0;            // of left_, the latest: nearly always the next as well
  size_t rows_ = 0;
  size_t bytes_ = 0;
};

}  // namespace belfry
