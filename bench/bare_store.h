// bare_store.h - RocksDB alone, as a bare user sets it up for timers: what the store is compared
// with. It has those of our settings that decide what a write costs (buffers, the two column
// families, compression, one log) and none that protect it (rocks_options.cc). One thread.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/rocks_kv.h"
#include "storage/zeroed_log.h"

namespace belfry {

class BareStore {
 public:
  enum class Log { kPlain, kZeroed };  // kZeroed: with our zeros ahead of it (zeroed_log.h)

  BareStore() = default;
  ~BareStore() {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  }
  BareStore(const BareStore&) = delete;
  BareStore& operator=(const BareStore&) = delete;

  // Makes it where there is none. Called once, before anything else.
  [[nodiscard]] rocksdb::Status Open(const std::string& path, Log log = Log::kPlain) {
    const size_t buffers = RocksOptions().write_buffer_bytes;
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.db_write_buffer_size = buffers;
    if (log == Log::kZeroed) {
      env_ = rocksdb::NewCompositeEnv(MakeZeroedLogFileSystem(rocksdb::FileSystem::Default()));
      options.env = env_.get();
      options.allow_fallocate = false;
    }
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = buffers / 4;
    family.max_write_buffer_number = 4;
    family.compression = rocksdb::kLZ4Compression;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {"default", family}, {"due", family}, {"ids", family}};
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, path, families, &families_, &db);
    db_.reset(db);
    return status;
  }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* meta() const { return families_[0]; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* due() const { return families_[1]; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* ids() const { return families_[2]; }

  // Returns once it is on the disk.
  [[nodiscard]] rocksdb::Status Write(rocksdb::WriteBatch* batch) {
    rocksdb::WriteOptions options;
    options.sync = true;
    return db_->Write(options, batch);
  }

 private:
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

}  // namespace belfry
