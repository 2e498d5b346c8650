// Damage to tables: refused, and with the loss accepted the rest goes on.

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/limits.h"
#include "storage/data_dir.h"
#include "tests/support/store_files.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

constexpr TimerId kTimers = 150;

class DataDirDamage : public testing::Test {
 protected:
  // Every fifth delivered, every seventh dead, every third of the rest parked; several tables a
  // family; stopped.
  void SetUp() override {
    rocks_.write_buffer_bytes = 192 << 10;
    auto data = Open(false);
    ASSERT_TRUE(data.ok()) << data.status().message();
    std::mt19937 random(1);
    for (TimerId id = 1; id <= kTimers; ++id) {
      Timer timer = PendingTimer(id, 1000 + static_cast<int64_t>(id));
      for (int i = 0; i < 500; ++i) timer.body.push_back(static_cast<char>(random()));
      std::vector<Op> ops;
      ops.push_back({0, Put(timer)});
      if (id % 5 == 0) ops.push_back({0, Settle(timer, TimerState::kDelivered, 5000)});
      const bool dead = id % 7 == 0 && id % 5 != 0;
      if (dead) ops.push_back({0, Settle(timer, TimerState::kDead, 5000)});
      if (id % 3 == 0 && id % 5 != 0 && !dead) ops.push_back({0, Park(timer, "http://a:1")});
      std::vector<Completion> done;
      ASSERT_TRUE((*data)->store().Apply(std::move(ops), &done).ok());
    }
    ASSERT_TRUE((*data)->CloseCleanly().ok());
    data->reset();
    whole_ = ReadTree(path_);
  }
  Result<std::unique_ptr<DataDir>> Open(bool accept_data_loss) {
    DataDirOptions options;
    options.path = path_;
    options.accept_data_loss = accept_data_loss;
    options.rocks = rocks_;
    options.log = [this](std::string_view line) { log_.append(line).append("\n"); };
    return DataDir::Open(options);
  }
  static Status Use(DataDir& data, uint64_t* alive) {
    std::vector<Op> ops;
    ops.push_back({0, LoadOp{0, {}, 10'000, 1 << 30}});
    ops.push_back({0, LoadParkedOp{1, 0, {}, {}, 10'000, 1 << 30}});
    ops.push_back({0, RetainOp{{1}, {1}}});
    std::vector<Completion> done;
    if (Status s = data.store().Apply(std::move(ops), &done); !s.ok()) return s;
    *alive = done[0].page.timers.size() + done[1].page.timers.size();
    return {};
  }
  // All ids of a store that must be readable throughout; its figures must fit.
  static std::vector<TimerId> MustList(DataDir& data) {
    std::vector<TimerId> ids;
    for (std::optional<TimerId> after = 0; after;) {
      const QueryResult r =
          data.store().Run({0, ListQuery{kLocalTenant, *after, kPageMax, {}}, {}});
      EXPECT_TRUE(r.status.ok()) << r.status.message();
      if (!r.status.ok()) return ids;
      const auto& page = std::get<TimerPage>(r.what);
      for (const TimerView& view : page.timers) ids.push_back(view.id);
      after = page.next_after;
    }
    const QueryResult counted = data.store().Run({0, CountQuery{kLocalTenant, {}}, {}});
    EXPECT_EQ(std::get<uint64_t>(counted.what), ids.size());
    return ids;
  }
  void Damage(const std::string& name, size_t at) {
    std::string bytes = whole_.at(name);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    WriteBytes(path_ + "/" + name, bytes);
  }
  [[nodiscard]] std::vector<std::string> Tables() const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : whole_) {
      if (name.ends_with(".sst")) names.push_back(name);
    }
    return names;
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/data";
  RocksOptions rocks_;
  Tree whole_;
  std::string log_;
};

TEST_F(DataDirDamage, WithTheLossAcceptedADamagedTableCostsItsRowsAndNothingElse) {
  EXPECT_GT(Tables().size(), 5u);
  int salvaged = 0;
  // The families take turns, so every third one meets them all.
  for (size_t i = 0; i < Tables().size(); i += 3) {
    const std::string name = Tables()[i];
    for (const size_t tenths : {0, 9}) {
      SCOPED_TRACE(name + " at " + std::to_string(tenths) + "/10");
      WriteTree(path_, whole_);
      Damage(name, whole_.at(name).size() * tenths / 10 + 20);
      auto opened = Open(true);
      if (!opened.ok()) {  // the table with the figures
        EXPECT_NE(opened.status().message().find("damaged beyond"), std::string::npos)
            << opened.status().message();
        continue;
      }
      uint64_t alive = 0;
      ASSERT_TRUE(Use(**opened, &alive).ok());
      const size_t left = MustList(**opened).size();
      EXPECT_LE(alive, left);
      // A block, or all of a table; the others are whole.
      EXPECT_GT(left, kTimers * 4 / 5);
      const bool replaced = fs::exists(path_ + "/lost-1/db");
      salvaged += replaced;
      EXPECT_TRUE(replaced || left == kTimers);
      // From then on it is a store like any other.
      ASSERT_TRUE((*opened)->CloseCleanly().ok());
      opened->reset();
      opened = Open(false);
      ASSERT_TRUE(opened.ok()) << opened.status().message();
      EXPECT_EQ(MustList(**opened).size(), left);
      opened->reset();
      EXPECT_TRUE(Open(true).ok());
      EXPECT_FALSE(fs::exists(path_ + "/lost-2"));
    }
  }
  EXPECT_GT(salvaged, 3);
}

// The block with the rows, the filter, the index, the properties: all but the footer's padding.
TEST_F(DataDirDamage, WithoutTheFiguresNothingIsGuessedWhereverTheirTableIsDamaged) {
  const auto refused = [this](const std::string& name, size_t at) {
    Damage(name, at);
    const auto opened = Open(true);
    if (opened.ok()) return std::string();
    EXPECT_EQ(opened.status().code(), StatusCode::kRefused);
    return opened.status().message();
  };
  constexpr size_t kFirstRow = 20;
  size_t refusals = 0;
  for (const std::string& name : Tables()) {
    WriteTree(path_, whole_);
    if (refused(name, kFirstRow).empty()) continue;
    for (const int open_tables : {-1, 1}) {
      rocks_.open_tables_max = open_tables;
      for (size_t tenths = 0; tenths <= 9; ++tenths) {
        SCOPED_TRACE(name + " at " + std::to_string(tenths) + "/10");
        WriteTree(path_, whole_);
        EXPECT_NE(refused(name, kFirstRow + whole_.at(name).size() * tenths / 10)
                      .find("damaged beyond what can be read"),
                  std::string::npos);
        ++refusals;
      }
    }
    break;
  }
  EXPECT_EQ(refusals, 20u);
}

TEST_F(DataDirDamage, ATableCutShortOrMissingIsAcceptedToo) {
  for (const bool missing : {false, true}) {
    const std::string name = Tables()[1];
    WriteTree(path_, whole_);
    if (missing) {
      fs::remove(path_ + "/" + name);
    } else {
      WriteBytes(path_ + "/" + name, whole_.at(name).substr(0, whole_.at(name).size() / 2));
    }
    const auto refused = Open(false);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), StatusCode::kRefused);
    EXPECT_NE(refused.status().message().find("--accept-data-loss"), std::string::npos);
    auto opened = Open(true);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_LE(MustList(**opened).size(), kTimers);
    EXPECT_GE((*opened)->store().last_id(), kTimers + kAcceptLossIdJump);
    EXPECT_NE(log_.find("data loss accepted"), std::string::npos);
  }
}

TEST_F(DataDirDamage, ASalvageCutShortStartsOverOrIsFinished) {
  Damage(Tables()[1], 20);
  const Tree damaged = ReadTree(path_);
  auto opened = Open(true);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const size_t left = MustList(**opened).size();
  ASSERT_TRUE((*opened)->CloseCleanly().ok());
  opened->reset();
  const Tree mended = ReadTree(path_);

  // While the new one was being made, and when it was whole but not yet in place.
  for (const std::string folder : {"/db.salvage", "/db.salvaged"}) {
    WriteTree(path_, damaged);
    WriteTree(path_ + folder, SubTree(mended, "db/"));
    opened = Open(true);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_EQ(MustList(**opened).size(), left);
    EXPECT_FALSE(fs::exists(path_ + folder));
    opened->reset();
  }
  // Between the two renames.
  WriteTree(path_, mended);
  fs::rename(path_ + "/db", path_ + "/db.salvaged");
  opened = Open(false);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(MustList(**opened).size(), left);
}

}  // namespace
}  // namespace belfry
