#include "storage/salvage_copy.h"

#include "base/limits.h"

namespace belfry {

Result<Found> SalvageCopy::Get(Cf cf, std::string_view key) {
  std::string_view value;
  if (batch_.Find(cf, key, &value) == Batch::Seen::kPut) return Found(value);
  return kv_->Get(cf, key);
}

Status SalvageCopy::Commit() {
  if (batch_.empty()) return {};
  Status s = kv_->Commit(batch_);
  batch_.Clear();
  return s;
}

Status SalvageCopy::CommitIfFull() {
  return batch_.size() < kGroupOpsMax && batch_.bytes() < kGroupBytesMax ? Status() : Commit();
}

Result<Found> ReadIfReadable(const KvView& view, Cf cf, std::string_view key) {
  Result<Found> found = view.Get(cf, key);
  if (!found.ok() && found.status().code() == StatusCode::kCorruption) return Found();
  return found;
}

}  // namespace belfry
