// rocks_status.h - RocksDB's words and ours. Included by the rocks_*.cc files only. Any thread;
// pure.
#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <string_view>

#include "base/status.h"

namespace belfry {

inline rocksdb::Slice RocksSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// What is not there, or not what it should be, is damage; the rest may work another time.
[[nodiscard]] inline Status RocksStatus(const rocksdb::Status& s) {
  if (s.ok()) return {};
  const bool damaged = s.IsCorruption() || s.IsInvalidArgument() || s.IsNotFound() ||
                       s.IsNotSupported() || s.IsPathNotFound();
  return damaged ? Corruption(s.ToString()) : IoError(s.ToString());
}

}  // namespace belfry
