// What RocksDB holds in memory stays within its share, whatever is written and read.

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/keys.h"
#include "storage/rocks_kv.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

class RocksMemory : public testing::Test {
 protected:
  std::unique_ptr<Kv> Open(RocksMode mode) {
    auto kv = OpenRocks(dir_.path() + "/db", options_, mode);
    EXPECT_TRUE(kv.ok()) << kv.status().message();
    return std::move(*kv);
  }
  // `bytes` in rows of a kilobyte, in batches of 64 KiB, with nothing to compress.
  void Write(Kv& kv, size_t bytes, std::initializer_list<Cf> families) {
    for (size_t done = 0; done < bytes;) {
      Batch batch;
      while (batch.bytes() < 64 << 10) {
        for (const Cf cf : families) batch.Put(cf, TimeKey({{0}, ++rows_}), Noise());
      }
      ASSERT_TRUE(kv.Commit(batch).ok());
      done += batch.bytes();
      const HeldBytes held = kv.held();
      write_buffers_max_ = std::max(write_buffers_max_, held.write_buffers);
      cache_max_ = std::max(cache_max_, held.cache);
    }
  }
  std::string Noise() {
    std::string bytes;
    while (bytes.size() < 1024) {
      random_ ^= random_ << 13;
      random_ ^= random_ >> 7;
      random_ ^= random_ << 17;
      AppendU64(&bytes, random_);
    }
    return bytes;
  }

  TempDir dir_;
  const RocksOptions options_ = [] {
    RocksOptions options;
    options.block_cache_bytes = options.write_buffer_bytes = 4 * kMiB;
    return options;
  }();
  uint64_t rows_ = 0;
  uint64_t random_ = 1;
  uint64_t write_buffers_max_ = 0;
  uint64_t cache_max_ = 0;
};

TEST_F(RocksMemory, WriteBuffersStayWithinTheirShareWhileMuchIsWritten) {
  const auto kv = Open(RocksMode::kCreate);
  Write(*kv, 48 * kMiB, {Cf::kDue, Cf::kIds});
  EXPECT_LE(write_buffers_max_, options_.write_buffer_bytes);
  EXPECT_GE(write_buffers_max_, options_.write_buffer_bytes / 4);  // and make use of it
  EXPECT_LE(cache_max_, kv->held().cache_bound + kMiB);
  EXPECT_EQ(kv->held().cache_bound, 8 * kMiB);
}

TEST_F(RocksMemory, AllFamiliesTogetherHaveOneShare) {
  const auto kv = Open(RocksMode::kCreate);
  Write(*kv, 48 * kMiB, {Cf::kDue, Cf::kIds, Cf::kDone, Cf::kDead, Cf::kOnce, Cf::kParked});
  EXPECT_LE(write_buffers_max_, options_.write_buffer_bytes);
}

TEST_F(RocksMemory, ReadsFillTheCacheToItsBoundAndNotBeyond) {
  const auto kv = Open(RocksMode::kCreate);
  Write(*kv, 32 * kMiB, {Cf::kDue});
  ASSERT_TRUE(kv->Compact().ok());
  uint64_t cache_max = 0;
  for (uint64_t row = 1; row <= rows_; row += 2) {
    ASSERT_TRUE(kv->Get(Cf::kDue, TimeKey({{0}, row})).value().has_value());
    cache_max = std::max(cache_max, kv->held().cache);
  }
  const uint64_t bound = kv->held().cache_bound;
  EXPECT_LE(cache_max, bound + kMiB / 4);
  EXPECT_GE(cache_max, bound / 2);
}

TEST_F(RocksMemory, WritesTakeTheirShareFromTheSameCache) {
  const auto kv = Open(RocksMode::kCreate);
  const uint64_t before = kv->held().cache;
  Write(*kv, kMiB, {Cf::kDue});
  EXPECT_GE(kv->held().cache, before + kMiB / 2);
}

TEST_F(RocksMemory, AReplayedLogStaysWithinTheShare) {
  {
    const auto kv = Open(RocksMode::kCreate);
    Write(*kv, 8 * kMiB, {Cf::kDue});
  }
  for (const RocksMode mode : {RocksMode::kReadOnly, RocksMode::kExisting}) {
    const auto kv = Open(mode);
    EXPECT_LE(kv->held().write_buffers, options_.write_buffer_bytes);
  }
}

TEST_F(RocksMemory, WhatIsWrittenIsCounted) {
  const auto kv = Open(RocksMode::kCreate);
  Write(*kv, 16 * kMiB, {Cf::kDue});
  ASSERT_TRUE(kv->Compact().ok());
  const WrittenBytes written = kv->written();
  EXPECT_GE(written.given, 16 * kMiB);
  EXPECT_GE(written.logged, written.given);
  EXPECT_LE(written.logged, written.given * 11 / 10);
  EXPECT_GE(written.flushed + kMiB / 8, written.given);
  EXPECT_GE(written.compacted + kMiB / 8, written.given);
  ASSERT_TRUE(kv->Close().ok());
  EXPECT_EQ(kv->written().given, written.given);
}

}  // namespace
}  // namespace belfry
