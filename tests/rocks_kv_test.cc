// What is RocksDB's alone; what it shares with the engine in memory is in the store_*_test files.

#include "storage/rocks_kv.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "tests/support/store_file_size_limit.h"
#include "tests/support/store_files.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

class RocksKvTest : public testing::Test {
 protected:
  std::unique_ptr<Kv> Open(RocksMode mode, RocksOptions options = {}) {
    auto kv = OpenRocks(path_, options, mode);
    EXPECT_TRUE(kv.ok()) << kv.status().message();
    return kv.ok() ? std::move(*kv) : nullptr;
  }
  static Status PutOne(Kv& kv, const std::string& key, const std::string& value) {
    Batch batch;
    batch.Put(Cf::kOnce, key, value);
    return kv.Commit(batch);
  }
  static Found Get(const Kv& kv, const std::string& key) { return kv.Get(Cf::kOnce, key).value(); }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/db";
};

size_t OpenTables() {
  size_t open = 0;
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto path = std::filesystem::read_symlink(file.path(), gone);
    if (!gone && path.extension() == ".sst") ++open;
  }
  return open;
}

TEST_F(RocksKvTest, TablesBeyondTheBoundAreClosedAndOpenedAgain) {
  constexpr std::array kFamilies{Cf::kDue, Cf::kIds, Cf::kDone, Cf::kDead, Cf::kOnce, Cf::kParked};
  for (int round = 0; round < 3; ++round) {  // an opening makes tables of the log before it
    auto kv = Open(round == 0 ? RocksMode::kCreate : RocksMode::kExisting);
    Batch batch;
    for (const Cf cf : kFamilies) batch.Put(cf, "key" + std::to_string(round), "value");
    ASSERT_TRUE(kv->Commit(batch).ok());
  }
  Open(RocksMode::kExisting);
  for (const int bound : {-1, 10}) {
    RocksOptions options;
    options.open_tables_max = bound;
    const auto kv = Open(RocksMode::kReadOnly, options);
    for (int repeat = 0; repeat < 2; ++repeat) {
      for (int round = 0; round < 3; ++round) {
        for (const Cf cf : kFamilies) {
          EXPECT_EQ(*kv->Get(cf, "key" + std::to_string(round)).value(), "value");
        }
      }
    }
    if (bound < 0) {
      EXPECT_GT(OpenTables(), 10u);
    } else {
      EXPECT_LE(OpenTables(), 10u);
    }
  }
}

TEST_F(RocksKvTest, AViewStaysAsItWasWhileCommitsGoOn) {
  auto kv = Open(RocksMode::kCreate);
  ASSERT_TRUE(PutOne(*kv, "a", "1").ok());
  const auto view = kv->View();
  const auto rows = view->Scan(Cf::kOnce, "a", "z");
  ASSERT_TRUE(PutOne(*kv, "a", "2").ok());
  ASSERT_TRUE(PutOne(*kv, "b", "3").ok());
  EXPECT_EQ(*view->Get(Cf::kOnce, "a").value(), "1");
  EXPECT_FALSE(view->Get(Cf::kOnce, "b").value().has_value());
  ASSERT_TRUE(rows->Valid());
  EXPECT_EQ(rows->value(), "1");
  rows->Next();
  EXPECT_FALSE(rows->Valid());
  EXPECT_EQ(*Get(*kv, "a"), "2");
}

TEST_F(RocksKvTest, AFailedWriteStopsTheEngineAndLosesNothingAcknowledged) {
  uint64_t acknowledged = 0;
  {
    auto kv = Open(RocksMode::kCreate);
    const std::string value(10'000, 'v');
    {
      const FileSizeLimit limit(200'000);
      while (PutOne(*kv, "key" + std::to_string(acknowledged), value).ok()) ++acknowledged;
    }
    EXPECT_GT(acknowledged, 0u);
    EXPECT_FALSE(kv->Health().ok());
    EXPECT_FALSE(PutOne(*kv, "later", "1").ok());
  }
  auto kv = Open(RocksMode::kExisting);
  EXPECT_TRUE(kv->Health().ok());
  for (uint64_t i = 0; i < acknowledged; ++i) {
    EXPECT_TRUE(Get(*kv, "key" + std::to_string(i))) << i;
  }
  EXPECT_FALSE(Get(*kv, "later"));
  EXPECT_TRUE(PutOne(*kv, "later", "1").ok());
}

TEST_F(RocksKvTest, AFlushThatFailedBehindTheScenesIsToldByClose) {
  RocksOptions options;
  options.write_buffer_bytes = 64 << 10;
  auto kv = Open(RocksMode::kCreate, options);
  std::filesystem::rename(path_, path_ + ".away");  // the open log goes on, no table can be made
  const std::string value(1000, 'v');
  while (kv->Health().ok()) static_cast<void>(PutOne(*kv, "key", value));
  EXPECT_FALSE(kv->Close().ok());
}

// RocksDB 7.8 as Debian builds it aborts when its own log file cannot be written twice; so it has
// none, and a disk where no file can grow is an error like any other.
TEST_F(RocksKvTest, ADiskFullForEveryFileIsAnErrorAndNotAnAbort) {
  auto kv = Open(RocksMode::kCreate);
  uint64_t acknowledged = 0;
  {
    const FileSizeLimit limit(64 << 10);
    const std::string value(100, 'v');
    while (PutOne(*kv, "key" + std::to_string(acknowledged), value).ok()) ++acknowledged;
  }
  EXPECT_FALSE(kv->Health().ok());
  EXPECT_FALSE(PutOne(*kv, "later", "1").ok());
  EXPECT_FALSE(kv->Health().message().empty());
  kv.reset();
  kv = Open(RocksMode::kExisting);
  for (uint64_t i = 0; i < acknowledged; ++i) {
    ASSERT_TRUE(Get(*kv, "key" + std::to_string(i))) << i;
  }
}

TEST_F(RocksKvTest, LookingLeavesEveryFileAsItIs) {
  {
    auto kv = Open(RocksMode::kCreate);
    ASSERT_TRUE(PutOne(*kv, "a", "1").ok());
  }
  const Tree before = ReadTree(path_);
  {
    auto kv = Open(RocksMode::kReadOnly);
    EXPECT_EQ(*Get(*kv, "a"), "1");
    EXPECT_FALSE(PutOne(*kv, "a", "2").ok());
  }
  EXPECT_EQ(ReadTree(path_), before);
}

TEST_F(RocksKvTest, ClosingInOrderLeavesNothingInTheLog) {
  {
    auto kv = Open(RocksMode::kCreate);
    ASSERT_TRUE(PutOne(*kv, "a", "1").ok());
    ASSERT_TRUE(kv->Close().ok());
  }
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    EXPECT_TRUE(file.path().extension() != ".log" || file.file_size() == 0) << file.path();
  }
  EXPECT_EQ(*Get(*Open(RocksMode::kExisting), "a"), "1");
}

TEST_F(RocksKvTest, OnlyAnEmptyDirectoryBecomesAStoreAndOnlyAStoreIsOpened) {
  EXPECT_EQ(OpenRocks(path_, {}, RocksMode::kExisting).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(OpenRocks(path_, {}, RocksMode::kReadOnly).status().code(), StatusCode::kCorruption);
  Open(RocksMode::kCreate);
  EXPECT_FALSE(OpenRocks(path_, {}, RocksMode::kCreate).ok());
}

TEST_F(RocksKvTest, WordsForTheOperatorEndWithoutALineBreak) {
  std::vector<std::string> lines;
  RocksOptions options;
  options.log = [&](std::string_view line) { lines.emplace_back(line); };
  Open(RocksMode::kCreate, options);  // it complains that the directory is not there yet
  EXPECT_FALSE(lines.empty());
  for (const std::string& line : lines) EXPECT_FALSE(line.ends_with('\n')) << line;
}

TEST_F(RocksKvTest, FilesBelowABoundAreGivenBack) {
  auto kv = Open(RocksMode::kCreate);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(PutOne(*kv, "a" + std::to_string(100 + i), std::string(1000, 'v')).ok());
  }
  ASSERT_TRUE(kv->Compact().ok());
  ASSERT_TRUE(PutOne(*kv, "b", "kept").ok());
  ASSERT_TRUE(kv->DropFilesBelow(Cf::kOnce, "a", "b").ok());
  EXPECT_FALSE(Get(*kv, "a100"));
  EXPECT_EQ(*Get(*kv, "b"), "kept");
}

}  // namespace
}  // namespace belfry
