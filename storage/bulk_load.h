// bulk_load.h - fills a new data directory with pending timers by writing its tables directly, many
// times faster than through ops. For benchmarks and imports.
//
// One thread. Not crash-safe: until Finish said OK the directory is to be thrown away.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "base/timer.h"
#include "storage/data_dir.h"
#include "storage/rocks_tables.h"

namespace belfry {

class BulkLoad {
 public:
  // kRefused when the directory holds a timer already.
  [[nodiscard]] static Result<std::unique_ptr<BulkLoad>> Begin(const DataDirOptions& options);

  // Each timer is given twice, pending and valid: once among the records, in ascending order of
  // KeyOf, and once among the entries, in ascending order of (tenant, id).
  [[nodiscard]] Status AddRecord(const Timer& timer);
  [[nodiscard]] Status AddEntry(const Timer& timer);

  // kInvalid when the two numbers differ. Afterwards the directory is as a clean stop leaves it.
  [[nodiscard]] Status Finish();

  // Of the tables written so far.
  [[nodiscard]] uint64_t bytes() const { return records_.bytes() + entries_.bytes(); }

 private:
  explicit BulkLoad(DataDirOptions options);

  DataDirOptions options_;
  TableWriter records_;
  TableWriter entries_;
  uint64_t record_count_ = 0;
  uint64_t entry_count_ = 0;
  TimerId last_id_ = 0;
  std::string scratch_;
};

}  // namespace belfry
