// Two users who share names of stopwatches start, delete and listen at random, each with names and
// Last-Event-IDs of the other: what neither may hear, two_tenants_streams.h says.
#include "tests/support/two_tenants_streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <random>
#include <string>
#include <utility>

#include "tests/support/http_api_rig.h"
#include "tests/support/one_answer.h"

namespace belfry {
namespace {

constexpr uint64_t kSeed = 20261121;
constexpr int kOperations = 20'000;
constexpr size_t kStreams = 6;
constexpr size_t kUsers = 2;

class TwoListeners : public testing::Test {
 protected:
  TwoListeners()
      : rig_({}, Authentication::Mode::kToken),
        streams_({"bob", "carol"}, rig_.engine->stopwatches().run()) {
    for (size_t user = 0; user < kUsers; ++user) {
      const std::string token = "token-" + std::to_string(user);
      rig_.Admit(token, kLocalTenant + 1 + static_cast<TenantId>(user), Scopes::All());
      authorizations_[user] = "Bearer " + token;
    }
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  std::string AnyName() { return "n" + std::to_string(Random(HttpApiRig::kPageRows)); }

  Request By(size_t user, Verb verb, std::string_view path) {
    Request request;
    request.verb = verb;
    request.path = path;
    request.headers = {{"Host", "h"}, {"Authorization", authorizations_[user]}};
    return request;
  }

  void Start(size_t user, const std::string& name) {
    Request request = By(user, Verb::kPost, "/api/stopwatch");
    std::string body = "{\"name\":\"" + name + "\"}";
    body.reserve(body.size() + kBodyPaddingBytes);
    request.body = body;
    request.headers.push_back({"Content-Type", "application/json"});
    streams_.Started(user, name);
    const int status = StatusOf(request);
    EXPECT_TRUE(status == 200 || status == 201) << status;
  }
  void Delete(size_t user, const std::string& name) {
    const std::string path = "/api/stopwatch/" + name;
    streams_.Deleted(user, name);
    EXPECT_EQ(StatusOf(By(user, Verb::kDelete, path)), 204);
  }
  int StatusOf(const Request& request) {
    OneAnswer one;
    rig_.router().Handle(request, {&one, 0, 0});
    for (int turn = 0; turn < 10 && !one.whole; ++turn) rig_.Pump();
    return one.answer ? one.answer->status : 0;
  }

  // Names that may be the other's alone, and a Last-Event-ID that may be the other's or made up.
  void Listen(size_t user) {
    if (streams_.open() >= kStreams) streams_.CloseOldest();
    TwoTenantsStreams::Wish wish;
    for (size_t i = 0; i < HttpApiRig::kPageRows; ++i) {
      if (Random(3) == 0) wish.names.insert("n" + std::to_string(i));
    }
    wish.own = wish.names.empty() || Random(3) == 0;
    wish.last_event_id = AnyEventId();
    std::string query = wish.own ? "own=true" : "own=false";
    for (const std::string& name : wish.names) query += "&name=" + name;
    Request request = By(user, Verb::kGet, "/api/stopwatch/events");
    request.query = query;
    if (!wish.last_event_id.empty()) {
      request.headers.push_back({"Last-Event-ID", wish.last_event_id});
    }
    streams_.Open(user, wish, [&](const ReplyTo& to) {
      rig_.router().Handle(request, to);
      for (int turn = 0; turn < 3; ++turn) rig_.Pump();
    });
  }
  std::string AnyEventId() {
    const uint64_t changes = streams_.changes();
    const uint64_t back = Random(HttpApiRig::kFeedEvents);
    switch (Random(6)) {
      case 0:
        return streams_.last_id(0);
      case 1:
        return streams_.last_id(1);
      case 2:
        return streams_.IdOf(changes - std::min(back, changes));
      case 3:
        return streams_.IdOf(Random(changes + 2));
      default:
        return "";
    }
  }

  void Step() {
    const size_t user = Random(kUsers);
    switch (Random(4)) {
      case 0:
        Listen(user);
        break;
      case 1:
        Delete(user, AnyName());
        break;
      default:
        Start(user, AnyName());
    }
    for (int turn = 0; turn < 8; ++turn) {
      streams_.GiveRoom();
      rig_.Pump();
    }
    streams_.Check();
  }

  HttpApiRig rig_;
  TwoTenantsStreams streams_;
  std::array<std::string, kUsers> authorizations_;
  std::mt19937_64 random_{kSeed};
};

TEST_F(TwoListeners, NeitherHearsWhatTheOtherDoesWithANameItHasNot) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  for (int i = 0; i < kOperations && !HasFailure(); ++i) Step();
  EXPECT_GT(streams_.heard_of_other, 500u);
  EXPECT_GT(streams_.resumed, 100u);
  EXPECT_GT(streams_.resyncs, 100u);
}

}  // namespace
}  // namespace belfry
