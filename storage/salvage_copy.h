// salvage_copy.h - the store that a salvage writes, group by group.
//
// One thread. What was put is found again, committed or not; nothing that is looked for is ever
// deleted.
#pragma once

#include <string_view>

#include "base/status.h"
#include "storage/batch.h"
#include "storage/kv.h"

namespace belfry {

class SalvageCopy {
 public:
  explicit SalvageCopy(Kv* kv) : kv_(kv) {}  // outlives this

  void Put(Cf cf, std::string_view key, std::string_view value) { batch_.Put(cf, key, value); }
  void Delete(Cf cf, std::string_view key) { batch_.Delete(cf, key); }
  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key);
  [[nodiscard]] Status Commit();
  [[nodiscard]] Status CommitIfFull();
  // What is committed.
  [[nodiscard]] Kv* kv() const { return kv_; }

 private:
  Kv* kv_;
  Batch batch_;
};

// Of the damaged store: kCorruption counts as not there; everything else that is wrong is an error.
[[nodiscard]] Result<Found> ReadIfReadable(const KvView& view, Cf cf, std::string_view key);

}  // namespace belfry
