#include "storage/commit_thread.h"

#include <gtest/gtest.h>

#include <semaphore>

#include "storage/memory_kv.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"

namespace belfry {
namespace {

// A commit thread over memory; the test is its loop and sleeps only until it is woken.
class CommitThreadTest : public testing::Test {
 protected:
  CommitThreadOptions Options() {
    CommitThreadOptions options;
    options.wake = [this] { woken_.release(); };
    options.sync_durable = [this] {
      synced_commit_ = ledger_->commit_no();
      ++syncs_;
      synced_.release();
      return durable_status_;
    };
    options.close_cleanly = [this] {
      ++closes_;
      return Status();
    };
    return options;
  }
  void Start(CommitThreadOptions options) {
    thread_ = std::make_unique<CommitThread>(ledger_.get(), &clock_, std::move(options));
  }
  void Submit(TimerId from, TimerId to) {
    std::vector<Op> ops;
    for (TimerId id = from; id <= to; ++id) ops.push_back({id, Put(PendingTimer(id, 1000))});
    thread_->Submit(&ops);
    EXPECT_TRUE(ops.empty());
  }
  // Waits for `count` completions or a failure.
  Status Await(size_t count, std::vector<Completion>* done) {
    for (;;) {
      if (Status s = thread_->Take(done); !s.ok() || done->size() >= count) return s;
      woken_.acquire();
    }
  }

  // All of 1..count come back in order.
  void StopAndExpect(size_t count) {
    EXPECT_TRUE(thread_->Stop().ok());
    std::vector<Completion> done;
    EXPECT_TRUE(thread_->Take(&done).ok());
    ASSERT_EQ(done.size(), count);
    for (TimerId id = 1; id <= count; ++id) ASSERT_EQ(done[id - 1].token, id);
  }

  SystemClock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> ledger_ =
      std::move(*Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId));
  std::counting_semaphore<> woken_{0};
  std::counting_semaphore<> synced_{0};
  std::atomic<uint64_t> synced_commit_ = 0;
  std::atomic<int> syncs_ = 0;
  std::atomic<int> closes_ = 0;
  Status durable_status_;
  std::unique_ptr<CommitThread> thread_;
};

TEST_F(CommitThreadTest, CompletionsComeBackInTheOrderOfSubmission) {
  Start(Options());
  std::vector<Completion> done;
  for (TimerId id = 1; id <= 500; ++id) Submit(id, id);
  ASSERT_TRUE(Await(500, &done).ok());
  for (TimerId id = 1; id <= 500; ++id) EXPECT_EQ(done[id - 1].token, id);
  EXPECT_GE(thread_->commits(), 1u);
  EXPECT_LE(thread_->commits(), 500u);
}

TEST_F(CommitThreadTest, ReadsRunBesideCommits) {
  Start(Options());
  std::vector<Completion> done;
  Submit(1, 200);
  for (TimerId id = 201; id <= 400; ++id) {
    Submit(id, id);
    const QueryResult result = ledger_->Run({1, CountQuery{kLocalTenant, {}}, {}});
    EXPECT_TRUE(result.status.ok());
  }
  ASSERT_TRUE(Await(400, &done).ok());
  const QueryResult result = ledger_->Run({1, CountQuery{kLocalTenant, {}}, {}});
  EXPECT_EQ(std::get<uint64_t>(result.what), 400u);
}

TEST_F(CommitThreadTest, StopAppliesWhatWaitsAndClosesInOrder) {
  Start(Options());
  for (TimerId id = 1; id <= 50; ++id) Submit(id, id);
  EXPECT_TRUE(thread_->Stop().ok());
  EXPECT_EQ(closes_, 1);
  std::vector<Completion> done;
  EXPECT_TRUE(thread_->Take(&done).ok());
  EXPECT_EQ(done.size(), 50u);
  EXPECT_TRUE(thread_->Stop().ok());
  EXPECT_EQ(closes_, 1);
}

TEST_F(CommitThreadTest, AFloodOfOpsIsAppliedInGroupsOfBoundedNumber) {
  Start(Options());
  constexpr size_t kOps = 3 * kGroupOpsMax;
  Submit(1, kOps);
  StopAndExpect(kOps);
  EXPECT_EQ(thread_->commits(), 3u);
}

TEST_F(CommitThreadTest, AFloodOfBytesIsAppliedInGroupsOfBoundedSize) {
  Start(Options());
  constexpr size_t kBody = 256 * 1024;
  constexpr size_t kOps = 4 * kGroupBytesMax / kBody;
  std::vector<Op> ops;
  for (TimerId id = 1; id <= kOps; ++id) {
    Timer timer = PendingTimer(id, 1000);
    timer.body.assign(kBody, 'b');
    ops.push_back({id, Put(timer)});
  }
  for (TimerId id = 1; id <= kOps; ++id) {
    Timer timer = PendingTimer(id, 1000);
    timer.body.assign(kBody, 'b');
    ops.push_back({kOps + id, Park(std::move(timer), "http://a:1")});
  }
  thread_->Submit(&ops);
  StopAndExpect(2 * kOps);
  EXPECT_EQ(thread_->commits(), 8u);
}

// Each may read every stream of its user.
TEST_F(CommitThreadTest, StartsOfStreamsAreAppliedInSmallGroups) {
  Start(Options());
  constexpr size_t kOps = 4 * kGroupBytesMax / kUserOpBytes;
  std::vector<Op> ops;
  for (uint64_t n = 1; n <= kOps; ++n) ops.push_back({n, belfry::Start(StartNo(n, "joe", 5000))});
  thread_->Submit(&ops);
  StopAndExpect(kOps);
  EXPECT_EQ(thread_->commits(), 4u);
}

TEST_F(CommitThreadTest, WhatIsBehindAFailedGroupIsNotApplied) {
  disk_->FailCommit(2, false);
  Start(Options());
  Submit(1, 3 * kGroupOpsMax);
  std::vector<Completion> done;
  EXPECT_FALSE(Await(3 * kGroupOpsMax, &done).ok());
  EXPECT_FALSE(thread_->Stop().ok());
  EXPECT_EQ(done.size(), kGroupOpsMax);
  EXPECT_EQ(thread_->commits(), 1u);
}

TEST_F(CommitThreadTest, WithoutAStopNothingIsMarkedClean) {
  Start(Options());
  thread_.reset();
  EXPECT_EQ(closes_, 0);
}

TEST_F(CommitThreadTest, AfterAFailedCommitNothingIsApplied) {
  disk_->FailCommit(1, false);
  Start(Options());
  Submit(1, 3);
  std::vector<Completion> done;
  EXPECT_EQ(Await(3, &done).code(), StatusCode::kIoError);
  EXPECT_TRUE(done.empty());
  const uint64_t commits = disk_->commits();
  Submit(4, 6);
  EXPECT_FALSE(thread_->Stop().ok());
  EXPECT_EQ(disk_->commits(), commits);
  EXPECT_EQ(closes_, 0);
  EXPECT_EQ(thread_->commits(), 0u);
}

TEST_F(CommitThreadTest, WhatCompletedBeforeTheFailureIsStillHandedOver) {
  disk_->FailCommit(2, false);
  Start(Options());
  std::vector<Op> ops;
  ops.push_back({1, Put(PendingTimer(1, 1000))});
  ops.push_back({2, LoadOp{0, {}, 10, 1 << 20}});
  ops.push_back({3, Put(PendingTimer(2, 1000))});
  thread_->Submit(&ops);
  std::vector<Completion> done;
  EXPECT_FALSE(Await(3, &done).ok());
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].token, 1u);
  EXPECT_EQ(done[1].page.timers.size(), 1u);
}

TEST_F(CommitThreadTest, TheWitnessIsWrittenWhenIdleToo) {
  CommitThreadOptions options = Options();
  options.interval_ms = 1;
  Start(std::move(options));
  Submit(1, 1);
  std::vector<Completion> done;
  ASSERT_TRUE(Await(1, &done).ok());
  while (synced_commit_ < 2) synced_.acquire();
  for (int more = syncs_ + 3; syncs_ < more;) synced_.acquire();
  EXPECT_GE(thread_->turns(), 3u);
}

TEST_F(CommitThreadTest, AFailedWitnessStopsTheStore) {
  durable_status_ = IoError("the disk is gone");
  CommitThreadOptions options = Options();
  options.interval_ms = 1;
  Start(std::move(options));
  std::vector<Completion> done;
  EXPECT_EQ(Await(1, &done).message(), "the disk is gone");
  EXPECT_FALSE(thread_->Stop().ok());
  EXPECT_EQ(closes_, 0);
}

TEST_F(CommitThreadTest, SpaceIsLookedAtFromTheStart) {
  std::atomic<uint64_t> free_bytes = 99;
  std::counting_semaphore<> looked{0};
  CommitThreadOptions options = Options();
  options.interval_ms = 1;
  options.min_free_bytes = 100;
  options.free_bytes = [&]() -> Result<uint64_t> {
    const uint64_t bytes = free_bytes;
    looked.release();
    if (bytes == 0) return IoError("cannot tell");
    return bytes;
  };
  Start(std::move(options));
  EXPECT_TRUE(thread_->below_min_free());
  free_bytes = 100;
  while (thread_->below_min_free()) looked.acquire();
  free_bytes = 0;
  while (!thread_->below_min_free()) looked.acquire();
  thread_.reset();
}

}  // namespace
}  // namespace belfry
