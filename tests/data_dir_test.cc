#include "storage/data_dir.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/limits.h"
#include "storage/data_dir_open.h"
#include "tests/support/store_files.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

class DataDirTest : public testing::Test {
 protected:
  // Opens the directory; it must succeed.
  std::unique_ptr<DataDir> MustOpen(bool accept_data_loss = false) {
    auto opened = Open(accept_data_loss);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  Result<std::unique_ptr<DataDir>> Open(bool accept_data_loss = false) {
    DataDirOptions options;
    options.path = path_;
    options.accept_data_loss = accept_data_loss;
    options.rocks = rocks_;
    options.log = [this](std::string_view line) { log_ += line; };
    return DataDir::Open(options);
  }
  static void PutTimers(DataDir& data, TimerId from, TimerId to) {
    for (TimerId id = from; id <= to; ++id) {
      std::vector<Op> ops;
      ops.push_back({0, Put(PendingTimer(id, 1000 + static_cast<int64_t>(id)))});
      std::vector<Completion> done;
      ASSERT_TRUE(data.store().Apply(std::move(ops), &done).ok());
    }
  }
  static size_t LiveCount(DataDir& data) {
    std::vector<Op> ops;
    ops.push_back({0, LoadOp{0, {}, kLoadRowsMax, kLoadBytesMax}});
    std::vector<Completion> done;
    EXPECT_TRUE(data.store().Apply(std::move(ops), &done).ok());
    return done[0].page.timers.size();
  }
  // Ten timers, each its own commit, all witnessed; then killed.
  void MakeKilledStore() {
    auto data = MustOpen();
    PutTimers(*data, 1, 10);
    ASSERT_TRUE(data->SyncDurable().ok());
  }
  void ExpectRefused(const std::string& words) {
    const auto opened = Open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().code(), StatusCode::kRefused) << opened.status().message();
    EXPECT_NE(opened.status().message().find(words), std::string::npos)
        << opened.status().message();
  }
  [[nodiscard]] std::string At(const std::string& name) const { return path_ + "/" + name; }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/deep/data";
  RocksOptions rocks_;
  std::string log_;
};

TEST_F(DataDirTest, ANewStoreIsMadeWithAnIdOfItsOwn) {
  auto data = MustOpen();
  const std::string id = data->store().opened().store_id;
  EXPECT_EQ(id.size(), 10u);
  EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_GT(data->FreeBytes().value(), 0u);
  data.reset();
  EXPECT_EQ(MustOpen()->store().opened().store_id, id);
}

TEST_F(DataDirTest, MakingAStoreGivesTheOperatorNothingToReadAbout) {
  MustOpen();
  EXPECT_EQ(log_, "");
}

TEST_F(DataDirTest, WhatWasCommittedIsThereAfterAKill) {
  MakeKilledStore();
  auto data = MustOpen();
  EXPECT_EQ(LiveCount(*data), 10u);
  EXPECT_EQ(data->store().opened().last_id, 10u);
}

TEST_F(DataDirTest, CommitsAfterTheLastWitnessAreThereToo) {
  MakeKilledStore();
  {
    auto data = MustOpen();
    PutTimers(*data, 11, 15);
  }
  EXPECT_EQ(LiveCount(*MustOpen()), 15u);
}

TEST_F(DataDirTest, ACleanStopLeavesNoLogToReplay) {
  {
    auto data = MustOpen();
    PutTimers(*data, 1, 3);
    ASSERT_TRUE(data->CloseCleanly().ok());
  }
  EXPECT_TRUE(DurableFile::Open(At("DURABLE"))->proof().clean);
  auto data = MustOpen();
  EXPECT_FALSE(DurableFile::Open(At("DURABLE"))->proof().clean);
  EXPECT_EQ(LiveCount(*data), 3u);
}

TEST_F(DataDirTest, AStopAfterAFailureBehindTheScenesIsNotMarkedClean) {
  rocks_.write_buffer_bytes = 64 << 10;
  auto data = MustOpen();
  fs::rename(At("db"), At("db.away"));  // the open log goes on, no table can be made
  TimerId last = 0;
  for (; data->store().Health().ok(); ++last) {
    std::vector<Op> ops;
    ops.push_back({0, Put(PendingTimer(last + 1, 1000))});
    std::vector<Completion> done;
    if (!data->store().Apply(std::move(ops), &done).ok()) break;
  }
  EXPECT_FALSE(data->CloseCleanly().ok());
  data.reset();
  EXPECT_FALSE(DurableFile::Open(At("DURABLE"))->proof().clean);
  fs::rename(At("db.away"), At("db"));
  EXPECT_GE(LiveCount(*MustOpen()), last);
}

TEST_F(DataDirTest, ASecondDaemonIsToldThePidOfTheFirst) {
  auto data = MustOpen();
  const auto second = Open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kInUse);
  EXPECT_NE(second.status().message().find("PID " + std::to_string(getpid())), std::string::npos)
      << second.status().message();
  data.reset();
  MustOpen();
}

TEST_F(DataDirTest, TheLockOfADeadProcessDoesNotHold) {
  MustOpen();
  const pid_t child = fork();
  if (child == 0) {
    const Result<Fd> lock = TakeLock(DataPaths(path_));
    _exit(lock.ok() ? 0 : 1);  // without any destructor, like kill -9
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  MustOpen();
}

TEST_F(DataDirTest, AStoreOfANewerFormatIsRefusedWithoutTouchingAByte) {
  MakeKilledStore();
  WriteBytes(At("FORMAT"), "min_reader: 4\nwriter: 5\n");
  fs::remove(At("LOCK"));
  const auto before = ReadTree(path_);
  ExpectRefused("newer belfry");
  EXPECT_EQ(ReadTree(path_), before);
}

TEST_F(DataDirTest, ADamagedOrMissingFormatIsRefused) {
  MakeKilledStore();
  WriteBytes(At("FORMAT"), "min_read");
  ExpectRefused("damaged");
  fs::remove(At("FORMAT"));
  ExpectRefused("FORMAT is missing");
}

TEST_F(DataDirTest, AMissingOrUnreadableWitnessIsRefused) {
  MakeKilledStore();
  const std::string durable = ReadBytes(At("DURABLE"));
  fs::remove(At("DURABLE"));
  ExpectRefused("DURABLE is missing");
  WriteBytes(At("DURABLE"), "");
  ExpectRefused("damaged");
  WriteBytes(At("DURABLE"), durable);
  EXPECT_EQ(LiveCount(*MustOpen()), 10u);
}

TEST_F(DataDirTest, AWitnessOfAnotherStoreIsRefused) {
  MakeKilledStore();
  ASSERT_TRUE(DurableFile::Create(At("DURABLE"), {"otherstore", 3, 1, false}).ok());
  ExpectRefused("belongs to store otherstore");
}

TEST_F(DataDirTest, AMissingDatabaseIsRefusedOnceItWasUsed) {
  MakeKilledStore();
  fs::remove_all(At("db"));
  ExpectRefused("is missing");
}

TEST_F(DataDirTest, EveryFlippedByteOfAnAcknowledgedLogIsRefused) {
  MakeKilledStore();
  const std::string wal = OnlyLogOf(At("db"));
  const std::string whole = ReadBytes(wal);
  const auto tree = ReadTree(path_);
  for (size_t i = 0; i < whole.size(); i += 37) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    WriteBytes(wal, damaged);
    const auto opened = Open();
    ASSERT_FALSE(opened.ok()) << "byte " << i;
    ASSERT_EQ(opened.status().code(), StatusCode::kRefused) << opened.status().message();
    WriteBytes(wal, whole);
  }
  EXPECT_EQ(ReadTree(At("db")), SubTree(tree, "db/"));  // looking has changed nothing
  EXPECT_EQ(LiveCount(*MustOpen()), 10u);
}

TEST_F(DataDirTest, EveryCutOfAnAcknowledgedLogIsRefused) {
  MakeKilledStore();
  const std::string wal = OnlyLogOf(At("db"));
  const std::string whole = ReadBytes(wal);
  for (size_t size = 0; size < whole.size(); size += 41) {
    WriteBytes(wal, whole.substr(0, size));
    const auto opened = Open();
    ASSERT_FALSE(opened.ok()) << "cut to " << size;
    ASSERT_EQ(opened.status().code(), StatusCode::kRefused) << opened.status().message();
  }
  WriteBytes(wal, whole);
  EXPECT_EQ(LiveCount(*MustOpen()), 10u);
}

TEST_F(DataDirTest, TheMessageSaysHowManyCommitsAreMissing) {
  MakeKilledStore();
  const std::string wal = OnlyLogOf(At("db"));
  const std::string whole = ReadBytes(wal);
  WriteBytes(wal, whole.substr(0, whole.size() - 1));
  ExpectRefused("lacks 1 acknowledged commit:");
  WriteBytes(wal, "");
  ExpectRefused("lacks 10 acknowledged commits:");
  fs::remove(wal);
  ExpectRefused("lacks 10 acknowledged commits:");
}

TEST_F(DataDirTest, ATornTailThatNobodyWasAnsweredForStarts) {
  MakeKilledStore();
  const std::string wal = OnlyLogOf(At("db"));
  const std::string whole = ReadBytes(wal);
  const std::vector<std::string> tails = {std::string(1, '\0'), std::string(500, '\0'), "torn",
                                          whole.substr(0, whole.size() / 20)};
  for (const std::string& tail : tails) {
    const auto tree = ReadTree(path_);
    WriteBytes(wal, whole + tail);
    EXPECT_EQ(LiveCount(*MustOpen()), 10u);
    WriteTree(path_, tree);
  }
}

TEST_F(DataDirTest, AcceptedLossKeepsTheLogsAndNeverGivesAnIdTwice) {
  MakeKilledStore();
  const std::string wal = OnlyLogOf(At("db"));
  const std::string damaged = ReadBytes(wal).substr(0, fs::file_size(wal) / 2);
  WriteBytes(wal, damaged);
  size_t left = 0;
  {
    auto data = MustOpen(true);
    ASSERT_NE(data, nullptr);
    left = LiveCount(*data);
    EXPECT_LT(left, 10u);
    EXPECT_GT(left, 0u);
    EXPECT_GE(data->store().opened().last_id, 10 + kAcceptLossIdJump);
    PutTimers(*data, data->store().last_id() + 1, data->store().last_id() + 1);
    ASSERT_TRUE(data->SyncDurable().ok());
  }
  EXPECT_EQ(ReadBytes(At("lost-1/") + fs::path(wal).filename().string()), damaged);
  EXPECT_NE(log_.find("data loss accepted"), std::string::npos);
  EXPECT_EQ(LiveCount(*MustOpen()), left + 1);
}

TEST_F(DataDirTest, AcceptedLossOfTheWitnessAloneLosesNothing) {
  MakeKilledStore();
  fs::remove(At("DURABLE"));
  EXPECT_EQ(LiveCount(*MustOpen(true)), 10u);
  EXPECT_EQ(LiveCount(*MustOpen()), 10u);
}

TEST_F(DataDirTest, AcceptingLossOfAWholeStoreChangesNothing) {
  MakeKilledStore();
  auto data = MustOpen(true);
  EXPECT_EQ(data->store().opened().last_id, 10u);
  EXPECT_FALSE(fs::exists(At("lost-1")));
}

TEST_F(DataDirTest, AcceptedLossOpensAStoreWhoseLogsAreGone) {
  MakeKilledStore();
  {
    auto data = MustOpen();
    PutTimers(*data, 11, 12);
    ASSERT_TRUE(data->SyncDurable().ok());
  }
  for (const auto& file : fs::directory_iterator(At("db"))) {
    if (file.path().extension() == ".log") fs::remove(file.path());
  }
  EXPECT_EQ(Open().status().code(), StatusCode::kRefused);
  auto data = MustOpen(true);
  EXPECT_EQ(LiveCount(*data), 10u);
}

// Families are flushed together, so a log damaged after many flushes still leaves one consistent
// cut.
TEST_F(DataDirTest, AcceptedLossAfterManyFlushesIsConsistent) {
  rocks_.write_buffer_bytes = 64 << 10;
  TimerId last = 0;
  {
    auto data = MustOpen();
    for (; last < 3000; last += 30) {
      std::vector<Op> ops;
      for (TimerId id = last + 1; id <= last + 30; ++id) {
        Timer timer = PendingTimer(id, 1000);
        timer.url += std::string(300, 'u');
        ops.push_back({0, Put(timer)});
        if (id % 3 == 0) ops.push_back({0, Settle(timer, TimerState::kDelivered, 2000)});
      }
      std::vector<Completion> done;
      ASSERT_TRUE(data->store().Apply(std::move(ops), &done).ok());
    }
    ASSERT_TRUE(data->SyncDurable().ok());
  }
  size_t tables = 0;
  for (const auto& file : fs::directory_iterator(At("db"))) {
    tables += file.path().extension() == ".sst";
    if (file.path().extension() == ".log") fs::resize_file(file.path(), file.file_size() / 2);
  }
  EXPECT_GT(tables, 3u);
  EXPECT_EQ(Open().status().code(), StatusCode::kRefused);
  auto data = MustOpen(true);
  ASSERT_NE(data, nullptr);
  // Counts, entries and records agree on what is left.
  const QueryResult counted = data->store().Run({0, CountQuery{kLocalTenant, {}}, {}});
  const uint64_t left = std::get<uint64_t>(counted.what);
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, 3000u);
  uint64_t listed = 0;
  for (std::optional<TimerId> after = 0; after;) {
    const QueryResult result =
        data->store().Run({0, ListQuery{kLocalTenant, *after, kPageMax, {}}, {}});
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    const auto& page = std::get<TimerPage>(result.what);
    listed += page.timers.size();
    after = page.next_after;
  }
  EXPECT_EQ(listed, left);
}

TEST_F(DataDirTest, DamageToAnyFileOfTheDatabaseIsAnErrorOrChangesNothing) {
  {
    auto data = MustOpen();
    PutTimers(*data, 1, 10);
    ASSERT_TRUE(data->CloseCleanly().ok());
  }
  const auto tree = ReadTree(path_);
  for (const auto& [name, bytes] : tree) {
    if (name.rfind("db/", 0) != 0 || name.rfind("db/LOG", 0) == 0) continue;
    std::string damaged = bytes;
    if (damaged.empty()) continue;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x40);
    WriteBytes(At(name), damaged);
    auto opened = Open();
    if (opened.ok()) {
      EXPECT_EQ(LiveCount(**opened), 10u) << name;
    } else {
      EXPECT_EQ(opened.status().code(), StatusCode::kRefused)
          << name << ": " << opened.status().message();
    }
    if (opened.ok()) opened->reset();
    WriteTree(path_, tree);
  }
}

// Each step of making a store, as a crash right after it would leave it.
TEST_F(DataDirTest, AHalfMadeStoreIsMadeAnew) {
  ASSERT_TRUE(MustOpen()->CloseCleanly().ok());
  const auto whole = ReadTree(path_);
  const std::vector<std::function<void()>> crashes = {
      [&] { fs::remove_all(path_); },
      [&] { fs::remove_all(At("db")), fs::remove(At("DURABLE")), fs::remove(At("FORMAT")); },
      [&] { fs::remove_all(At("db")), fs::remove(At("DURABLE")); },
      [&] { fs::rename(At("db"), At("db.new")), fs::remove(At("DURABLE")); },
      [&] {
        fs::rename(At("db"), At("db.new")), fs::remove(At("DURABLE"));
        fs::remove(At("db.new/CURRENT"));
      },
      [&] { fs::rename(At("db"), At("db.new")); },
      [&] {
        WriteBytes(At("FORMAT.new"), "mi"), fs::remove_all(At("db")), fs::remove(At("DURABLE")),
            fs::remove(At("FORMAT"));
      },
  };
  for (size_t i = 0; i < crashes.size(); ++i) {
    WriteTree(path_, whole);
    // The clean marker was raised past a store never used only by being opened again.
    ASSERT_TRUE(DurableFile::Create(At("DURABLE"), {std::string(10, 'a'), 1, 0, true}).ok());
    crashes[i]();
    auto data = MustOpen();
    ASSERT_NE(data, nullptr) << "crash " << i;
    EXPECT_EQ(data->store().opened().last_id, 0u);
  }
}

}  // namespace
}  // namespace belfry
