// What the scheduler of streams refuses, and how deadlines and webhooks leave room to each other.
#include "scheduler/streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "daemon/engine_start.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"

namespace belfry {
namespace {

class StreamsTest : public testing::Test {
 protected:
  void Open(EngineOptions options = {}, WallMs last_seen = {}) {
    auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk_), "abcdefghij");
    ASSERT_TRUE(opened.ok());
    store_ = std::move(*opened);
    options.streams.random = [this] { return ++random_; };
    EngineStart start = StartFrom(store_->opened());
    start.timers.last_seen = last_seen;
    engine_ = std::make_unique<Engine>(std::move(options), start, now_, MonoMs{});
    Settle();
  }
  // One turn: what was decided is taken over.
  void Turn() {
    engine_->Tick(now_, MonoMs{});
    Ready ready = engine_->TakeReady();
    for (Op& op : ready.ops) ops_.push_back(std::move(op));
    for (Reply& reply : ready.replies) replies_.push_back(std::move(reply));
    for (Query& query : ready.queries) queries_.push_back(std::move(query));
    for (const Delivery& delivery : ready.deliveries) started_.push_back(delivery.timer->id);
  }
  void Commit() {
    std::vector<Completion> done;
    ASSERT_TRUE(store_->Apply(std::exchange(ops_, {}), &done).ok());
    engine_->Complete(std::move(done), now_);
  }
  // The oldest of what is asked is read.
  void ReadOne() {
    ASSERT_FALSE(queries_.empty());
    engine_->QueryDone(store_->Run(queries_.front()), MonoMs{});
    queries_.erase(queries_.begin());
    Turn();
  }
  void Settle() {
    for (int turn = 0; turn < 20; ++turn) {
      Turn();
      Commit();
    }
    replies_.clear();
  }
  void Start(int64_t ttl_ms = kMinuteMs, std::string on_expire = "") {
    StreamStart start;
    start.tenant = kLocalTenant;
    start.user = "joe";
    start.ttl_ms = ttl_ms;
    start.on_expire = std::move(on_expire);
    engine_->streams().Start(++token_, std::move(start), now_);
  }
  // Of the nth start.
  void Renew(uint64_t n) {
    engine_->streams().Renew(++token_, kLocalTenant, "joe", UuidV4(2 * n - 1, 2 * n), now_);
  }
  void End(uint64_t n) {
    engine_->streams().End(++token_, kLocalTenant, "joe", UuidV4(2 * n - 1, 2 * n), now_);
  }
  void Set(int64_t in_ms) {
    auto timer = std::make_unique<Timer>();
    timer->due = now_ + in_ms;
    timer->url = "http://r/x";
    engine_->timers().Set(++token_, std::move(timer), "", "", now_);
  }
  // Those answered since, in turns without a commit.
  std::vector<Refusal> Refused() {
    Turn();
    std::vector<Refusal> out;
    for (const Reply& reply : std::exchange(replies_, {})) {
      if (const auto* refusal = std::get_if<Refusal>(&reply.what)) out.push_back(*refusal);
    }
    return out;
  }
  template <typename Wanted>
  [[nodiscard]] size_t Queued() const {
    size_t count = 0;
    for (const Op& op : ops_) count += std::holds_alternative<Wanted>(op.what);
    return count;
  }

  WallMs now_{1'000'000'000'000};
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> store_;
  std::unique_ptr<Engine> engine_;
  uint64_t random_ = 0;
  ReplyToken token_ = 0;
  std::vector<Op> ops_;
  std::vector<Query> queries_;
  std::vector<Reply> replies_;
  std::vector<TimerId> started_;
};

using Refusals = std::vector<Refusal>;

TEST_F(StreamsTest, StartsLeaveRoomToHeartbeatsAndNoEndIsRefused) {
  EngineOptions options;
  options.streams.ops_max = 4;
  Open(options);
  for (int i = 0; i < 3; ++i) Start();
  engine_->streams().PutUser(++token_, kLocalTenant, "jane", {});
  EXPECT_EQ(Refused(), (Refusals{Refusal::kOverloaded, Refusal::kOverloaded}));
  for (int i = 0; i < 5; ++i) Renew(1);
  EXPECT_EQ(Refused(), Refusals{Refusal::kOverloaded});
  for (int i = 0; i < 20; ++i) End(9);
  engine_->streams().DeleteUser(++token_, kLocalTenant, "jane", now_);
  EXPECT_EQ(Refused(), Refusals{});
  Settle();
  Start();
  Renew(1);
  EXPECT_EQ(Refused(), Refusals{});
}

// The list of what plays may be long: so many at once, whatever is refused.
TEST_F(StreamsTest, RefusedStartsAreAnsweredWithListsThatAreReadInTurn) {
  EngineOptions options;
  options.streams.limit = 2;
  options.streams.lists_max = 3;
  options.streams.ops_max = 40;
  Open(options);
  for (int i = 0; i < 12; ++i) Start();
  Turn();
  Commit();
  Turn();
  EXPECT_EQ(replies_.size(), 2u);
  EXPECT_EQ(queries_.size(), 3u);
  // They count until they are answered.
  for (int i = 0; i < 11; ++i) Start();
  EXPECT_EQ(Refused(), Refusals{Refusal::kOverloaded});
  ops_.clear();
  for (size_t answered = 1; answered <= 10; ++answered) {
    ReadOne();
    ASSERT_EQ(replies_.size(), answered);
    const auto& full = std::get<StreamLimitReply>(replies_.back().what);
    EXPECT_EQ(full.limit, 2u);
    EXPECT_EQ(full.playing.size(), 2u);
    EXPECT_EQ(queries_.size(), std::min<size_t>(3, 10 - answered));
  }
}

TEST_F(StreamsTest, AStartThatWasRefusedStaysSoWhateverPlaysWhenItsListIsRead) {
  EngineOptions options;
  options.streams.limit = 2;
  Open(options);
  for (int i = 0; i < 4; ++i) Start();
  Turn();
  Commit();
  End(1);
  Turn();
  Commit();
  Turn();
  replies_.clear();
  ReadOne();
  ASSERT_EQ(replies_.size(), 1u);
  EXPECT_EQ(std::get<StreamLimitReply>(replies_[0].what).limit, 2u);
  EXPECT_EQ(std::get<StreamLimitReply>(replies_[0].what).playing.size(), 1u);
  engine_->streams().DeleteUser(++token_, kLocalTenant, "joe", now_);
  Turn();
  Commit();
  Turn();
  replies_.clear();
  ReadOne();
  ASSERT_EQ(replies_.size(), 1u);
  EXPECT_TRUE(std::get<StreamLimitReply>(replies_[0].what).playing.empty());
}

TEST_F(StreamsTest, AListThatCannotBeReadIsSaidAndWhoWaitsWhenTheStoreFailsIsTold) {
  EngineOptions options;
  options.streams.limit = 1;
  options.streams.lists_max = 1;
  Open(options);
  for (int i = 0; i < 4; ++i) Start();
  Turn();
  Commit();
  Turn();
  replies_.clear();
  QueryResult failed(queries_.at(0));
  failed.status = Corruption("damaged");
  engine_->QueryDone(std::move(failed), MonoMs{});
  EXPECT_EQ(Refused(), Refusals{Refusal::kReadFailed});
  engine_->StoreFailed();
  EXPECT_EQ(Refused(), Refusals{Refusal::kStopping});
  QueryResult stopped(queries_.at(1));
  stopped.status = {StatusCode::kUnavailable, "stopping"};
  engine_->QueryDone(std::move(stopped), MonoMs{});
  EXPECT_EQ(Refused(), Refusals{Refusal::kStopping});
}

TEST_F(StreamsTest, StartsThatWaitShareTheBytesOfSets) {
  EngineOptions options;
  options.timers.sets_queued_bytes_max = 4300;
  Open(options);
  const std::string url = "http://r/" + std::string(4000, 'x');
  Start(kMinuteMs, url);
  EXPECT_EQ(Refused(), Refusals{});
  Start(kMinuteMs, url);
  Set(5000);
  EXPECT_EQ(Refused(), (Refusals{Refusal::kOverloaded, Refusal::kOverloaded}));
  Renew(1);
  EXPECT_EQ(Refused(), Refusals{});
  Settle();
  Start(kMinuteMs, url);
  EXPECT_EQ(Refused(), Refusals{});
}

TEST_F(StreamsTest, NothingIsStartedOrRenewedByAClockThatCannotBeRight) {
  const WallMs right = now_;
  now_ = now_ + 401 * kDayMs;
  Open({}, right);
  Start();
  Renew(1);
  EXPECT_EQ(Refused(), (Refusals{Refusal::kClockWrong, Refusal::kClockWrong}));
  End(1);
  EXPECT_EQ(Refused(), Refusals{});
  now_ = right;
  Settle();
  Start();
  Renew(1);
  EXPECT_EQ(Refused(), Refusals{});
}

TEST_F(StreamsTest, AClockThatCannotBeRightDecidesNotWhatHasLapsed) {
  Open();
  Start(kMinuteMs, "http://r/x");
  Start(kMinuteMs, "http://r/x");
  Settle();
  const WallMs right = now_;
  for (const int64_t wrong_by_ms : {401 * kDayMs, -2 * kDayMs}) {
    now_ = right + wrong_by_ms;
    Open({}, right);
    engine_->streams().FindUser(++token_, {kLocalTenant, "joe", now_});
    Turn();
    ReadOne();
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(std::get<UserReply>(replies_[0].what).user.streams.size(),
              wrong_by_ms > 0 ? 2u : 1u);
    End(wrong_by_ms > 0 ? 1 : 2);
    Settle();
  }
  now_ = right + 2 * kMinuteMs;
  Settle();
  EXPECT_EQ(started_, std::vector<TimerId>());
}

// All the room for what is staged is taken by targets that hang.
TEST_F(StreamsTest, ADeadlineNeedsNoRoomInALine) {
  EngineOptions options;
  options.timers.window_bytes = 4000;
  options.timers.max_in_flight = 1;
  Open(options);
  for (int i = 0; i < 3; ++i) Set(1000);
  Start(1001);
  Settle();
  now_ = now_ + 1000;
  Turn();
  EXPECT_EQ(started_.size(), 1u);
  now_ = now_ + 1;
  Turn();
  EXPECT_EQ(Queued<LapseStreamOp>(), 1u);
}

TEST_F(StreamsTest, ManyDeadlinesAtOnceDoNotHoldBackAWebhook) {
  EngineOptions options;
  options.timers.lapses_max = 2;
  options.streams.limit = 9;
  Open(options);
  for (int i = 0; i < 9; ++i) Start(1000);
  Set(1001);
  Settle();
  now_ = now_ + 1001;
  Turn();
  EXPECT_EQ(Queued<LapseStreamOp>(), 2u);
  EXPECT_EQ(started_.size(), 1u);
  // The others are met when these are done, without waiting for anything else.
  size_t met = 0;
  for (int turn = 0; turn < 20; ++turn) {
    met += Queued<LapseStreamOp>();
    Commit();
    now_ = now_ + kLoadIntervalMs;
    Turn();
  }
  EXPECT_EQ(met, 9u);
}

}  // namespace
}  // namespace belfry
