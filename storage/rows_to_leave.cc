#include "storage/rows_to_leave.h"

#include <algorithm>

#include "storage/record.h"

namespace belfry {

Result<bool> RowsToLeave::Leaves(const Key& key, std::string_view key_bytes,
                                 std::string_view record) {
  if (!names_ && !leases_only_) return false;
  const Result<std::string_view> url = RecordUrl(key_bytes, record);
  if (!url.ok()) return url.status();
  if (url->empty()) return false;
  if (!leases_only_) {
    if (!Names(TargetOf(*url), key)) return false;
    (*left_)[last_].last = key;
  }
  ++rows_;
  bytes_ += key_bytes.size() + record.size();
  return true;
}

// Whether it is named; last_ is its place then.
bool RowsToLeave::Names(std::string_view target, const Key& key) {
  if (last_ < left_->size() && (*left_)[last_].target == target) return true;
  const auto name = std::lower_bound(names_->begin(), names_->end(), target);
  if (name == names_->end() || *name != target) return false;
  size_t& place = place_[static_cast<size_t>(name - names_->begin())];
  if (place == 0) {
    left_->push_back({*name, key, key});
    place = left_->size();
  }
  last_ = place - 1;
  return true;
}

}  // namespace belfry
