// A store of format 1, from before the family `parked`, or of format 2, from before `stopwatch`
// and `stream`: it
// is raised when it is opened, older binaries keep away from then on, and a stop at any moment of
// it changes nothing.

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "storage/books.h"
#include "storage/data_dir.h"
#include "tests/support/store_files.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

constexpr TimerId kTimers = 20;
constexpr char kThisFormat[] = "min_reader: 3\nwriter: 3\n";

// By the format of the older store.
class DataDirUpgrade : public testing::TestWithParam<int> {
 protected:
  Result<std::unique_ptr<DataDir>> Open(bool accept_data_loss = false) {
    DataDirOptions options;
    options.path = path_;
    options.accept_data_loss = accept_data_loss;
    return DataDir::Open(options);
  }
  static Result<std::vector<Completion>> Apply(DataDir& data, std::vector<Op> ops) {
    std::vector<Completion> done;
    if (Status s = data.store().Apply(std::move(ops), &done); !s.ok()) return s;
    return done;
  }
  void MakeStore() {
    auto data = Open();
    ASSERT_TRUE(data.ok()) << data.status().message();
    std::vector<Op> ops;
    for (TimerId id = 1; id <= kTimers; ++id) ops.push_back({0, Put(PendingTimer(id, 1000))});
    ASSERT_TRUE(Apply(**data, std::move(ops)).ok());
    ASSERT_TRUE((*data)->CloseCleanly().ok());
  }
  void DropFamilies() {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, Db(), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names)
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, Db(), families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    for (size_t i = 0; i < names.size(); ++i) {
      const bool newer = names[i] == "stopwatch" || names[i] == "stream" ||
                         (names[i] == "parked" && GetParam() < 2);
      if (newer) CHECK(db->DropColumnFamily(handles[i]).ok());
    }
    const ShortKey schema = MetaKey(MetaKind::kFormat);
    const std::string_view key = schema;
    ASSERT_TRUE(db->Put({}, {key.data(), key.size()},
                        std::string("\0\0\0", 3) + static_cast<char>(GetParam()))
                    .ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
    ASSERT_TRUE(db->Close().ok());
  }
  // As a binary of the older format leaves it.
  void MakeOldStore() {
    MakeStore();
    DropFamilies();
    SetFormat(OldFormat());
  }
  void ExpectUsable() {
    for (const bool again : {false, true}) {
      auto data = Open();
      ASSERT_TRUE(data.ok()) << data.status().message();
      EXPECT_EQ(Format(), kThisFormat);
      std::vector<Op> ops;
      if (!again) ops.push_back({0, Park(PendingTimer(1, 1000), "http://a:1")});
      if (!again) ops.push_back({0, Start(StartNo(kTimers + 1, "joe", 5000))});
      if (again) ops.push_back({0, Renew(kTimers + 1, "joe", 5500)});
      ops.push_back({0, LoadOp{0, {}, 1000, 1 << 20}});
      ops.push_back({0, LoadParkedOp{1, 0, {}, {}, 10, 1 << 20}});
      ops.insert(ops.begin(), {0, StopwatchPutOp{{kLocalTenant, "tea", {1000}}}});
      const auto done = Apply(**data, std::move(ops));
      ASSERT_TRUE(done.ok()) << done.status().message();
      EXPECT_EQ(done->front().result, again ? OpResult::kReset : OpResult::kDone);
      EXPECT_EQ(done->end()[-3].result, OpResult::kDone);
      EXPECT_EQ(done->end()[-2].page.timers.size(), kTimers);
      EXPECT_EQ(done->end()[-1].page.timers.size(), 1u);
      ASSERT_TRUE((*data)->CloseCleanly().ok());
    }
    EXPECT_TRUE(Open(true).ok());
    EXPECT_FALSE(std::filesystem::exists(path_ + "/lost-1"));
  }
  [[nodiscard]] static std::string OldFormat() {
    const std::string number = std::to_string(GetParam());
    return "min_reader: " + number + "\nwriter: " + number + "\n";
  }
  [[nodiscard]] static std::string HalfRaised() {
    return "min_reader: 3\nwriter: " + std::to_string(GetParam()) + "\n";
  }
  void SetFormat(const std::string& text) { WriteBytes(path_ + "/FORMAT", text); }
  [[nodiscard]] std::string Format() const { return ReadBytes(path_ + "/FORMAT"); }
  [[nodiscard]] std::string Db() const { return path_ + "/db"; }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/data";
};

TEST_P(DataDirUpgrade, AnOlderStoreHasAllItHadAndCanPark) {
  MakeOldStore();
  ExpectUsable();
}

TEST_P(DataDirUpgrade, ANewStoreIsOfThisFormat) {
  MakeStore();
  EXPECT_EQ(Format(), kThisFormat);
}

TEST_P(DataDirUpgrade, WhatWasKilledIsRaisedToo) {
  MakeOldStore();
  {
    auto data = Open();
    ASSERT_TRUE(data.ok()) << data.status().message();
    std::vector<Op> ops;
    ops.push_back({0, Park(PendingTimer(2, 1000), "http://b:1")});
    ops.push_back({0, RetryOp{{{1000}, 2}, Own(PendingTimer(2, 1000))}});
    ops.push_back({0, LoadParkedOp{1, 0, {}, {}, 10, 1 << 20}});
    const auto done = Apply(**data, std::move(ops));
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done->back().target_ended);
  }
  auto data = Open();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_TRUE((*data)->store().opened().parked_targets.empty());
}

TEST_P(DataDirUpgrade, StoppedHalfWayItGoesOn) {
  MakeOldStore();
  SetFormat(HalfRaised());
  const Tree before = ReadTree(path_);
  ExpectUsable();
  // The store was raised, and FORMAT does not say so yet.
  WriteTree(path_, before);
  ASSERT_TRUE(Open().ok());
  SetFormat(HalfRaised());
  ExpectUsable();
}

TEST_P(DataDirUpgrade, AnOlderStoreThatIsRefusedStaysAsItIs) {
  MakeOldStore();
  std::filesystem::remove(path_ + "/DURABLE");
  std::filesystem::remove(path_ + "/LOCK");
  Tree before = ReadTree(path_);
  EXPECT_EQ(Open().status().code(), StatusCode::kRefused);
  std::filesystem::remove(path_ + "/LOCK");
  EXPECT_EQ(ReadTree(path_), before);
}

TEST_P(DataDirUpgrade, AStoreOfThisFormatWithoutTheFamilyIsDamaged) {
  MakeStore();
  DropFamilies();
  const Result<std::unique_ptr<DataDir>> opened = Open();
  EXPECT_EQ(opened.status().code(), StatusCode::kRefused);
  EXPECT_NE(opened.status().message().find("damaged"), std::string::npos)
      << opened.status().message();
}

TEST_P(DataDirUpgrade, LossInAnOlderStoreIsAcceptedAsInAnyOther) {
  MakeOldStore();
  std::vector<std::string> tables;
  for (const auto& [name, bytes] : ReadTree(Db())) {
    if (name.ends_with(".sst")) tables.push_back(name);
  }
  const Tree whole = ReadTree(path_);
  int accepted = 0;
  for (const std::string& table : tables) {
    WriteTree(path_, whole);
    std::filesystem::remove(Db() + "/" + table);
    auto data = Open(true);
    if (!data.ok()) continue;  // the table with the figures
    ++accepted;
    EXPECT_EQ(Format(), kThisFormat);
    ASSERT_TRUE((*data)->CloseCleanly().ok());
    data->reset();
    EXPECT_TRUE(Open().ok());
  }
  EXPECT_GE(accepted, 2);
}

TEST_P(DataDirUpgrade, ADirectoryThatWasNeverFilledIsOfThisFormat) {
  std::filesystem::create_directories(path_);
  SetFormat(OldFormat());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Format(), kThisFormat);
}

INSTANTIATE_TEST_SUITE_P(Formats, DataDirUpgrade, testing::Values(1, 2),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace belfry
