// rocks_tables.h - table files made outside of a store, and taken into it whole.
//
// One thread. The store is not open meanwhile. Files already written are removed with the writer,
// unless the store took them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "storage/batch.h"
#include "storage/rocks_kv.h"

namespace belfry {

class TableWriter {
 public:
  // Files are named `prefix`N.sst and stand on the store's file system.
  TableWriter(const RocksOptions& options, Cf cf, std::string prefix);
  ~TableWriter();

  // Keys in ascending order.
  [[nodiscard]] Status Add(std::string_view key, std::string_view value);
  [[nodiscard]] Status Finish();

  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  [[nodiscard]] uint64_t bytes() const;

 private:
  struct Table;
  [[nodiscard]] Status CloseTable();

  std::unique_ptr<Table> table_;
  std::string prefix_;
  std::vector<std::string> files_;
  uint64_t finished_bytes_ = 0;
};

using TableFiles = std::vector<std::pair<Cf, std::vector<std::string>>>;

// Opens the store at `db`, moves all files in, and closes it.
[[nodiscard]] Status IngestTables(const std::string& db, const RocksOptions& options,
                                  const TableFiles& files);

}  // namespace belfry
