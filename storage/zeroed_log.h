// zeroed_log.h - a file system for RocksDB that writes zeros ahead of its log.
//
// An append moves the end of the file, so every fdatasync also has to write where the file ends.
// Written over zeros that are already on the disk, the same data takes one write: measured, the
// sync of 10 KB takes two thirds of the time (docs/ARCHITECTURE.md).
//
// RocksDB reads zeros at the end of a log as its end, and a closed log is cut to what was written;
// only a killed process leaves zeros behind. A log that stays small is left alone. When zeros
// cannot be written (a full disk, a file system without direct writes) the log grows by appends as
// it would without this.
//
// Threads: as FileSystem and FSWritableFile. Each log has one thread of its own that writes zeros,
// once it has grown past kZeroFromBytes; Append waits for it only where it has not come far enough.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>

namespace belfry {

inline constexpr uint64_t kZeroFromBytes = uint64_t{256} << 10;  // smaller logs have no zeros
inline constexpr uint64_t kZeroAheadBytes = uint64_t{1} << 20;   // how far zeros should reach

// `base` with logs (files named *.log) zeroed ahead; every other file as it is.
[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> MakeZeroedLogFileSystem(
    std::shared_ptr<rocksdb::FileSystem> base);

}  // namespace belfry
