#include "storage/zeroed_log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/check.h"
#include "storage/rocks_kv.h"
#include "tests/support/store_file_size_limit.h"
#include "tests/support/store_files.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kKiB = 1024;
// Past the place where zeros begin, so whoever got here has waited for them.
constexpr uint64_t kGrownBytes = 3 * kZeroFromBytes;

class ZeroedLogTest : public testing::Test {
 protected:
  std::unique_ptr<rocksdb::FSWritableFile> Create(const std::string& name) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const auto s = file_system_->NewWritableFile(dir_.path() + "/" + name, {}, &file, nullptr);
    EXPECT_TRUE(s.ok()) << s.ToString();
    return file;
  }
  // Appends pieces of 8 KiB, no two alike, and notes them in `expected_`.
  void Append(rocksdb::FSWritableFile& file, uint64_t bytes) {
    for (uint64_t done = 0; done < bytes; done += 8 * kKiB) {
      const std::string piece(8 * kKiB, static_cast<char>('a' + expected_.size() / kKiB % 26));
      ASSERT_TRUE(file.Append(piece, {}, nullptr).ok());
      ASSERT_TRUE(file.Sync({}, nullptr).ok());
      expected_ += piece;
    }
  }
  uint64_t SizeOf(const std::string& name) { return fs::file_size(dir_.path() + "/" + name); }
  std::string Bytes(const std::string& name) { return ReadBytes(dir_.path() + "/" + name); }

  TempDir dir_;
  std::string expected_;
  const std::shared_ptr<rocksdb::FileSystem> file_system_ =
      MakeZeroedLogFileSystem(rocksdb::FileSystem::Default());
};

TEST_F(ZeroedLogTest, ASmallLogHasNoZeros) {
  const auto file = Create("000001.log");
  Append(*file, kZeroFromBytes / 2);
  EXPECT_EQ(SizeOf("000001.log"), expected_.size());
}

TEST_F(ZeroedLogTest, AGrownLogHasZerosAfterWhatWasWritten) {
  const auto file = Create("000001.log");
  Append(*file, kGrownBytes);
  ASSERT_GT(SizeOf("000001.log"), expected_.size());
  const std::string bytes = Bytes("000001.log");
  EXPECT_EQ(bytes.substr(0, expected_.size()), expected_);
  EXPECT_EQ(bytes.find_first_not_of('\0', expected_.size()), std::string::npos);
}

TEST_F(ZeroedLogTest, ZerosNeverOvertakeWhatIsWritten) {
  const auto file = Create("000001.log");
  Append(*file, 10 * kZeroAheadBytes);
  EXPECT_EQ(Bytes("000001.log").substr(0, expected_.size()), expected_);
  EXPECT_LE(SizeOf("000001.log"), expected_.size() + 2 * kZeroAheadBytes);
}

TEST_F(ZeroedLogTest, AClosedLogEndsWithWhatWasWritten) {
  const auto file = Create("000001.log");
  Append(*file, kGrownBytes);
  ASSERT_TRUE(file->Close({}, nullptr).ok());
  EXPECT_EQ(Bytes("000001.log"), expected_);
}

TEST_F(ZeroedLogTest, OtherFilesAreLeftAlone) {
  const auto file = Create("000001.sst");
  Append(*file, kGrownBytes);
  EXPECT_EQ(SizeOf("000001.sst"), expected_.size());
}

TEST_F(ZeroedLogTest, WhereZerosCannotBeWrittenTheLogGrowsByItself) {
  const auto file = Create("000001.log");
  const FileSizeLimit limit(2 * kGrownBytes);  // less than zeros would take
  Append(*file, kGrownBytes + 64 * kKiB);
  ASSERT_TRUE(file->Close({}, nullptr).ok());
  EXPECT_EQ(Bytes("000001.log"), expected_);
}

// What a process leaves behind that is killed: a copy of its directory, made while it is open.
class KilledStoreTest : public testing::Test {
 protected:
  static std::unique_ptr<Kv> Open(const std::string& path, RocksMode mode) {
    auto kv = OpenRocks(path, {}, mode);
    CHECK(kv.ok());
    return std::move(*kv);
  }
  static void Put(Kv& kv, int key) {
    Batch batch;
    batch.Put(Cf::kOnce, std::to_string(key), std::string(40 * kKiB, 'x'));
    ASSERT_TRUE(kv.Commit(batch).ok());
  }
  static bool Has(const Kv& kv, int key) {
    return kv.Get(Cf::kOnce, std::to_string(key)).value().has_value();
  }
  void Leave(int puts) {
    const auto kv = Open(dir_.path() + "/open", RocksMode::kCreate);
    for (int i = 0; i < puts; ++i) Put(*kv, i);
    fs::copy(dir_.path() + "/open", killed_, fs::copy_options::recursive);
  }

  TempDir dir_;
  const std::string killed_ = dir_.path() + "/killed";
};

constexpr int kPuts = 30;

TEST_F(KilledStoreTest, ZerosEndTheLog) {
  Leave(kPuts);
  ASSERT_EQ(ReadBytes(OnlyLogOf(killed_)).back(), '\0');
  for (const RocksMode mode : {RocksMode::kReadOnly, RocksMode::kExisting}) {
    const auto kv = Open(killed_, mode);
    for (int i = 0; i < kPuts; ++i) EXPECT_TRUE(Has(*kv, i)) << i;
  }
}

// Power failed while the last batch was written: any of its pages may have stayed as they were.
TEST_F(KilledStoreTest, ALastBatchWithZerosInItIsLeftOutWhole) {
  Leave(kPuts);
  std::string bytes = ReadBytes(OnlyLogOf(killed_));
  const size_t end = bytes.find_last_not_of('\0') + 1;
  for (size_t page = (end - 40 * kKiB) / 4096 * 4096 + 4096; page < end; page += 4096) {
    std::string torn = bytes;
    torn.replace(page, 4096, std::string(4096, '\0'));
    WriteBytes(OnlyLogOf(killed_), torn);
    const auto kv = Open(killed_, RocksMode::kReadOnly);
    EXPECT_TRUE(Has(*kv, kPuts - 2)) << page;
    EXPECT_FALSE(Has(*kv, kPuts - 1)) << page;
  }
}

}  // namespace
}  // namespace belfry
