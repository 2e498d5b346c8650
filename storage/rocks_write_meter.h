// rocks_write_meter.h - counts what RocksDB writes. Included by rocks_kv.cc only.
//
// Any thread: Given by the committing one, the rest by RocksDB's own.
#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>

#include "storage/kv.h"

namespace belfry {

class WriteMeter final : public rocksdb::EventListener {
 public:
  void Given(uint64_t given_bytes, uint64_t logged_bytes) {
    given_ += given_bytes;
    logged_ += logged_bytes;
  }
  [[nodiscard]] WrittenBytes written() const { return {given_, logged_, flushed_, compacted_}; }

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& job) override {
    const rocksdb::TableProperties& table = job.table_properties;
    flushed_ += table.data_size + table.index_size + table.filter_size;
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) override {
    compacted_ += job.stats.total_output_bytes;
  }
  const char* Name() const override { return "belfry.write_meter"; }

 private:
  std::atomic<uint64_t> given_ = 0;
  std::atomic<uint64_t> logged_ = 0;
  std::atomic<uint64_t> flushed_ = 0;
  std::atomic<uint64_t> compacted_ = 0;
};

}  // namespace belfry
