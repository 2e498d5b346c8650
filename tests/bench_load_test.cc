// The load driver against its own receiver, which answers 204 to everything, on one loop.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/load.h"
#include "bench/receiver.h"
#include "bench/requests.h"

namespace belfry {
namespace {

class LoadTest : public ::testing::Test {
 protected:
  void Listen() {
    const Result<Endpoint> any = ParseEndpoint("127.0.0.1:0");
    auto receiver =
        Receiver::Listen(loop_, *any, [this](std::string_view, int64_t) { ++received_; });
    ASSERT_TRUE(receiver.ok()) << receiver.status().message();
    receiver_ = std::move(*receiver);
    plan_.endpoint = *ParseEndpoint(receiver_->address());
    plan_.connections = 4;
    plan_.duration_ms = 50;
  }
  Result<LoadResult> Run() {
    GetRequests requests(plan_.endpoint.host_port, 1, 10, false, false);
    return std::make_unique<Load>(loop_, plan_, requests)->Run();
  }

  EventLoop loop_;
  std::unique_ptr<Receiver> receiver_;
  uint64_t received_ = 0;
  LoadPlan plan_;
};

TEST_F(LoadTest, EveryAnswerIsCountedUnderItsStatus) {
  Listen();
  plan_.pipeline = 8;
  const Result<LoadResult> result = Run();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_GE(received_, 32u);
  EXPECT_LE(result->answered(), received_);
  for (const auto& [status, count] : result->by_status) {
    EXPECT_EQ(status, 204);
    EXPECT_EQ(count, result->answered());
  }
  EXPECT_EQ(result->errors(), 0u);
}

// The second request is meant to leave after a quarter of an hour.
TEST_F(LoadTest, AtAFixedRateNothingLeavesBeforeItsTime) {
  Listen();
  plan_.rate = 0.001;
  const Result<LoadResult> result = Run();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(received_, 1u);
  EXPECT_EQ(result->unsent, 0u);
  EXPECT_EQ(result->errors(), 0u);
}

TEST(PreciseTimer, IsNeverEarlyAndNeverTwiceWithinItsGap) {
  constexpr uint64_t kGapNs = 2'000'000;
  EventLoop loop;
  std::vector<uint64_t> calls_ns;
  const std::unique_ptr<PreciseTimer> timer = std::make_unique<PreciseTimer>(loop, kGapNs, [&] {
    calls_ns.push_back(uv_hrtime());
    calls_ns.size() < 2 ? timer->StartAt(calls_ns.back()) : loop.Stop();
  });
  const uint64_t at_ns = uv_hrtime() + 1'000'000;
  timer->StartAt(at_ns);
  loop.Run();
  ASSERT_EQ(calls_ns.size(), 2u);
  EXPECT_GE(calls_ns[0], at_ns);
  EXPECT_GE(calls_ns[1], at_ns + kGapNs);
}

TEST(PreciseTimer, ASoonerTimeTakesThePlaceOfALaterOne) {
  EventLoop loop;
  int calls = 0;
  PreciseTimer timer(loop, 0, [&] {
    ++calls;
    loop.Stop();
  });
  const uint64_t now_ns = uv_hrtime();
  timer.StartAt(now_ns + 3'600'000'000'000);
  timer.StartAt(now_ns + 1'000'000);
  // This one changes nothing.
  timer.StartAt(now_ns + 7'200'000'000'000);
  loop.Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(LoadTest, NobodyListeningIsAnErrorThatNamesTheAddress) {
  Listen();
  receiver_.reset();
  const Result<LoadResult> result = Run();
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find(plan_.endpoint.host_port), std::string::npos);
  EXPECT_NE(result.status().message().find("refused"), std::string::npos);
}

TEST_F(LoadTest, AProcessThatIsNotThereIsAnError) {
  Listen();
  plan_.pid = 1 << 30;
  EXPECT_FALSE(Run().ok());
}

TEST(Endpoint, HasAHostAndAPort) {
  EXPECT_EQ(EndpointOfUrl("http://127.0.0.1:8080")->host_port, "127.0.0.1:8080");
  EXPECT_EQ(EndpointOfUrl("http://127.0.0.1:8080/")->host_port, "127.0.0.1:8080");
  EXPECT_EQ(EndpointOfUrl("http://127.0.0.1")->host_port, "127.0.0.1:80");
  EXPECT_EQ(EndpointOfUrl("http://[::1]")->host_port, "[::1]:80");
  EXPECT_EQ(AddressText(ParseEndpoint("[::1]:9000")->address), "[::1]:9000");
}

TEST(Endpoint, AnythingElseIsAnError) {
  for (const char* url : {"", "127.0.0.1:8080", "https://127.0.0.1", "http://", "http:///",
                          "http://127.0.0.1:8080/timers", "http://u@127.0.0.1:80"}) {
    EXPECT_FALSE(EndpointOfUrl(url).ok()) << url;
  }
  for (const char* text : {"", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536",
                           "127.0.0.1:x", "127.0.0.1:99999999999999999999", "::1:80"}) {
    EXPECT_FALSE(ParseEndpoint(text).ok()) << text;
  }
}

TEST(SetRequests, ATargetThatWouldBreakTheJsonIsRefused) {
  EXPECT_TRUE(SetRequests::Make("h:1", 1000, "http://r/x").ok());
  for (const char* target : {"http://r/\"", "http://r/\\", "http://r/ x", "http://r/\n"}) {
    EXPECT_FALSE(SetRequests::Make("h:1", 1000, target).ok()) << target;
  }
}

TEST(SetRequests, TheLengthIsThatOfTheBody) {
  SetRequests requests = *SetRequests::Make("127.0.0.1:8080", 5000, "http://r/x");
  EXPECT_EQ(requests.Next(),
            "POST /timers HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
            "Content-Length: 33\r\n\r\n{\"delay\":\"5s\",\"url\":\"http://r/x\"}");
}

}  // namespace
}  // namespace belfry
