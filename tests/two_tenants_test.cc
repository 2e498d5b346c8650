// Two users do 100,000 random things with each other's ids: neither ever sees, changes or counts
// anything of the other. Through authentication, router, routes, the scheduler and the ledger; no
// sockets, so that it is fast. The seed is fixed and printed with every failure.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/http_api_rig.h"

namespace belfry {
namespace {

constexpr uint64_t kSeed = 20261121;
constexpr int kOperations = 100'000;
constexpr TimerId kNeverGiven = 1'000'000'000;
constexpr size_t kKeys = 40;
constexpr std::array<std::string_view, 6> kStates{"pending", "retrying",  "delivered",
                                                  "dead",    "cancelled", "firing"};

// Takes the one answer that is waited for.
class OneAnswer final : public Responder {
 public:
  void Respond(const ReplyTo&, Response response) override {
    EXPECT_FALSE(answer);
    answer = std::move(response);
  }
  void HoldFurther(const ReplyTo&) override {}
  bool Begin(const ReplyTo&, Response, StreamOptions) override {
    ADD_FAILURE() << "a streamed answer";
    return false;
  }
  bool Write(const ReplyTo&, std::string_view) override { return false; }
  void End(const ReplyTo&) override {}
  void CutOff(const ReplyTo&) override {}
  std::optional<Response> answer;
};

struct User {
  std::string authorization;
  std::string mark;                           // in every URL of theirs
  std::set<TimerId> timers;                   // theirs, and not deleted by DELETE /timers
  std::map<std::string, TimerId> keys;        // idempotency keys: what they made
  std::map<std::string, std::string> bodies;  // and with which body
  std::string name;
  std::set<std::string> stopwatches;
  std::map<std::string, std::set<std::string>> slots;  // by player: their streams
};

class TwoTenants : public testing::Test {
 protected:
  TwoTenants() : rig_({}, Authentication::Mode::kToken) {
    for (size_t i = 0; i < users_.size(); ++i) {
      const std::string token = "token-" + std::to_string(i);
      Scopes scopes = Scopes::All();
      scopes.Remove(Scope::kAdmin);
      rig_.Admit(token, static_cast<TenantId>(2 + i), scopes);
      users_[i].authorization = "Bearer " + token;
      users_[i].name = i == 0 ? "bob" : "carol";  // as the rig has it
      users_[i].mark = "http://r/of-user-" + std::to_string(i);
    }
  }

  uint64_t Random(uint64_t below) { return random_() % below; }

  Response Ask(const User& user, Verb verb, const std::string& path, const std::string& query = "",
               const std::string& body = "", const std::string& key = "") {
    Request request;
    request.verb = verb;
    request.path = path;
    request.query = query;
    request.headers = {{"Host", "h"}, {"Authorization", user.authorization}};
    std::string padded = body;
    padded.reserve(body.size() + kBodyPaddingBytes);
    request.body = padded;
    if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    if (!key.empty()) request.headers.push_back({"Idempotency-Key", key});
    OneAnswer one;
    rig_.router().Handle(request, {&one, 0, 0});
    for (int turn = 0; turn < 10 && !one.answer; ++turn) rig_.Pump();
    EXPECT_TRUE(one.answer) << path;
    if (!one.answer) return {};
    const User& other = users_[&user == &users_[0] ? 1 : 0];
    EXPECT_EQ(one.answer->body.find(other.mark), std::string::npos) << path << '?' << query;
    EXPECT_EQ(one.answer->headers.find(other.mark), std::string::npos);
    return std::move(*one.answer);
  }

  // Most often one that exists, whoever has it.
  TimerId AnyId() {
    if (last_ == 0 || Random(50) == 0) return kNeverGiven;
    const uint64_t back = Random(4) == 0 ? Random(last_) : Random(std::min<TimerId>(last_, 200));
    return last_ - back;
  }

  // What a request for one timer must have been answered.
  void CheckOne(const User& user, TimerId id, const Response& got, const std::string& what) {
    if (user.timers.contains(id)) {
      EXPECT_NE(got.status, 404) << what << " one's own " << id;
      return;
    }
    ++foreign_;
    EXPECT_EQ(got.status, 404) << what << ' ' << id;
    EXPECT_EQ(got.body, nothing_.body) << what << ' ' << id;
    EXPECT_EQ(got.headers, nothing_.headers);
  }

  static std::vector<TimerId> IdsIn(const std::string& list) {
    std::vector<TimerId> ids;
    for (size_t at = list.find("{\"id\":"); at != list.npos; at = list.find("{\"id\":", at + 1)) {
      ids.push_back(std::stoull(list.substr(at + 6, 20)));
    }
    return ids;
  }

  std::vector<std::string> Counts(const User& user) {
    std::vector<std::string> counts{Ask(user, Verb::kGet, "/timers/count").body};
    for (const std::string_view state : kStates) {
      counts.push_back(Ask(user, Verb::kGet, "/timers/count", "state=" + std::string(state)).body);
    }
    EXPECT_EQ(counts[0], "{\"count\":" + std::to_string(user.timers.size()) + "}");
    return counts;
  }

  void Set(User& user) {
    std::string body = "{\"url\":\"" + user.mark + "\",\"seconds\":" + std::to_string(Random(9)) +
                       ",\"retry\":{\"max_attempts\":" + std::to_string(1 + Random(2)) + "}}";
    std::string key;
    if (Random(3) == 0) key = "key-" + std::to_string(Random(kKeys));
    const auto made = user.keys.find(key);
    if (made != user.keys.end() && Random(2) == 0) body = user.bodies[key];
    const Response got = Ask(user, Verb::kPost, "/timers", "", body, key);
    if (made != user.keys.end()) {
      const bool same = body == user.bodies[key];
      EXPECT_EQ(got.status, same ? 201 : 422);
      if (!same) return;
      EXPECT_EQ(got.body, "{\"id\":" + std::to_string(made->second) + "}");
      return;
    }
    ASSERT_EQ(got.status, 201) << got.body;
    const TimerId id = IdsIn(got.body).at(0);
    ASSERT_GT(id, last_) << "an id was given twice, or a key of the other user answered";
    last_ = id;
    user.timers.insert(id);
    if (key.empty()) return;
    user.keys[key] = id;
    user.bodies[key] = body;
  }

  void List(const User& user) {
    const uint64_t limit = 1 + Random(30);
    const TimerId after = Random(2) == 0 ? 0 : AnyId();
    std::string query = "limit=" + std::to_string(limit) + "&after=" + std::to_string(after);
    const bool filtered = Random(2) == 0;
    if (filtered) query += "&state=" + std::string(kStates[Random(kStates.size())]);
    const Response got = Ask(user, Verb::kGet, "/timers", query);
    ASSERT_EQ(got.status, 200) << got.body;
    const std::vector<TimerId> ids = IdsIn(got.body);
    for (const TimerId id : ids) EXPECT_TRUE(user.timers.contains(id)) << id;
    if (filtered) return;
    std::vector<TimerId> wanted;
    for (auto it = user.timers.upper_bound(after); it != user.timers.end(); ++it) {
      if (wanted.size() < limit) wanted.push_back(*it);
    }
    EXPECT_EQ(ids, wanted) << query;
  }

  void DeleteAll(User& user) {
    const Response got = Ask(user, Verb::kDelete, "/timers");
    EXPECT_EQ(got.body, "{}");
    user.timers.clear();
  }

  // Names are shared: who has one sees who else has.
  void Stopwatch(User& user) {
    const User& other = users_[&user == &users_[0] ? 1 : 0];
    const std::string name = "n" + std::to_string(Random(HttpApiRig::kPageRows));
    const std::string path = "/api/stopwatch/" + name;
    const bool has = user.stopwatches.contains(name);
    if (Random(3) == 0) {
      EXPECT_EQ(Ask(user, Verb::kDelete, path).status, 204);
      user.stopwatches.erase(name);
    } else if (Random(2) == 0) {
      const std::string body = "{\"name\":\"" + name + "\"}";
      EXPECT_EQ(Ask(user, Verb::kPost, "/api/stopwatch", "", body).status, has ? 200 : 201);
      user.stopwatches.insert(name);
    }
    const std::string own = Ask(user, Verb::kGet, "/api/stopwatch").body;
    EXPECT_EQ(static_cast<size_t>(std::count(own.begin(), own.end(), ':')),
              user.stopwatches.size());
    for (const std::string& mine : user.stopwatches) {
      EXPECT_NE(own.find("\"" + mine + "\":"), std::string::npos);
    }
    const Response all = Ask(user, Verb::kGet, path);
    ASSERT_EQ(all.status, user.stopwatches.contains(name) ? 200 : 403);
    if (all.status == 403) {
      const Response nobodys = Ask(user, Verb::kGet, "/api/stopwatch/nobodys");
      EXPECT_EQ(all.body, nobodys.body);
      return;
    }
    EXPECT_NE(all.body.find(user.name), std::string::npos);
    EXPECT_EQ(all.body.find(other.name) != std::string::npos, other.stopwatches.contains(name));
  }

  // Players of the same names, who have nothing to do with each other.
  void Slot(User& user) {
    const User& other = users_[&user == &users_[0] ? 1 : 0];
    const std::string player = "p" + std::to_string(Random(3));
    const std::string path = "/users/" + player;
    const auto mine = user.slots.find(player);
    const bool known = mine != user.slots.end();
    const auto found = other.slots.find(player);
    const std::set<std::string> theirs =
        found == other.slots.end() ? std::set<std::string>() : found->second;
    switch (Random(6)) {
      case 0:
        if (Random(4) != 0) break;
        EXPECT_EQ(Ask(user, Verb::kDelete, path).status, known ? 204 : 404);
        user.slots.erase(player);
        break;
      case 1:
        for (const std::string& id : theirs) {
          EXPECT_EQ(Ask(user, Verb::kPut, path + "/streams/" + id).status, 404);
          EXPECT_EQ(Ask(user, Verb::kDelete, path + "/streams/" + id).status, known ? 204 : 404);
        }
        break;
      case 2:
        if (!known || mine->second.empty()) break;
        EXPECT_EQ(Ask(user, Verb::kPut, path + "/streams/" + *mine->second.begin()).status, 200);
        EXPECT_EQ(Ask(user, Verb::kDelete, path + "/streams/" + *mine->second.begin()).status, 204);
        mine->second.erase(mine->second.begin());
        break;
      default: {
        const Response got = Ask(user, Verb::kPost, path + "/streams", "", R"({"ttl":"30d"})");
        std::set<std::string>& streams = user.slots[player];
        EXPECT_EQ(got.status, streams.size() < 3 ? 201 : 409);
        if (got.status == 201) streams.insert(got.body.substr(13, 36));
      }
    }
    for (const User* one : {&user, &other}) CheckSlots(*one, player);
  }
  void CheckSlots(const User& user, const std::string& player) {
    const std::string users = Ask(user, Verb::kGet, "/users").body;
    for (const auto& [name, streams] : user.slots) {
      EXPECT_NE(users.find("{\"userId\":\"" + name + "\""), std::string::npos);
    }
    const Response got = Ask(user, Verb::kGet, "/users/" + player + "/streams");
    const auto mine = user.slots.find(player);
    EXPECT_EQ(got.status, mine == user.slots.end() ? 404 : 200) << player;
    if (got.status != 200) return;
    EXPECT_TRUE(got.body.starts_with("{\"count\":" + std::to_string(mine->second.size()) + ","));
    for (const std::string& id : mine->second) EXPECT_NE(got.body.find(id), std::string::npos);
  }

  void Change(User& user) {
    const TimerId id = AnyId();
    const std::string path = "/timers/" + std::to_string(id);
    switch (Random(40)) {
      case 0:
        return Random(10) == 0 ? DeleteAll(user) : Set(user);
      case 1:
        EXPECT_EQ(
            Ask(user, Verb::kPost, "/timers/retry", Random(2) ? "dry_run=true" : "").status / 100,
            2);
        return;
      case 2:
        EXPECT_EQ(Ask(user, Verb::kPost, "/targets/pause", "", R"({"all":true})").status, 403);
        return;
      case 3:
      case 4:
      case 5:
        return Stopwatch(user);
      case 6:
      case 7:
        return Slot(user);
      default:
        break;
    }
    if (Random(2) == 0) return Set(user);
    if (Random(2) == 0) {
      CheckOne(user, id, Ask(user, Verb::kDelete, path), "DELETE");
    } else {
      CheckOne(user, id, Ask(user, Verb::kPost, path + "/retry"), "retry");
    }
  }

  void Read(const User& user) {
    const TimerId id = AnyId();
    const std::string path = "/timers/" + std::to_string(id);
    switch (Random(5)) {
      case 0:
        return List(user);
      case 1:
        return CheckOne(user, id, Ask(user, Verb::kHead, path), "HEAD");
      case 2:
        return CheckOne(user, id, Ask(user, Verb::kGet, path), "GET");
      case 3:
        EXPECT_EQ(Ask(user, Verb::kGet, "/targets").status, 403);
        return;
      default:
        return CheckOne(user, id, Ask(user, Verb::kGet, path, "view=full"), "GET full");
    }
  }

  // Time stands still but here, so what a user has changes only here and by what they do.
  void LetTimePass() {
    constexpr int kStatuses[] = {200, 500, 410};
    rig_.PassAndAnswer(static_cast<int64_t>(Random(1500)), kStatuses[Random(3)]);
  }

  // What is due starts in turns; until then it starts when anybody asks for anything.
  void StartAllThatIsDue() {
    size_t started = 0;
    for (int quiet = 0; quiet < 3; ++quiet) {
      rig_.Pump();
      if (started != rig_.started.size()) quiet = 0;
      started = rig_.started.size();
    }
  }

  // Without waiting for the answer.
  OneAnswer& Send(const User& user, Verb verb, const std::string& path, std::string body = "") {
    body.reserve(body.size() + kBodyPaddingBytes);
    Request request;
    request.verb = verb;
    request.path = path;
    request.body = body;
    request.headers = {{"Host", "h"}, {"Authorization", user.authorization}};
    if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    rig_.router().Handle(request, {&sent_.emplace_back(), 0, 0});
    return sent_.back();
  }

  // One sets a timer; the other, who guesses its id, keeps asking for it, so that there always is a
  // request of theirs that is not answered. It fires all the same.
  void Meddle(User& user, const User& other) {
    const TimerId id = ++last_;
    const std::string path = "/timers/" + std::to_string(id);
    const size_t first = sent_.size();
    const OneAnswer& set =
        Send(user, Verb::kPost, "/timers", "{\"url\":\"" + user.mark + "\",\"seconds\":1}");
    rig_.started.clear();
    for (int round = 0; round < 5; ++round) {
      Send(other, Verb::kDelete, path);
      rig_.hold_ops = true;
      rig_.Pump();
      Send(other, Verb::kPost, path + "/retry");
      rig_.ReleaseOps();
      rig_.hold_ops = true;
      rig_.http->clock.wall = rig_.http->clock.wall + 500;
      rig_.http->clock.mono = rig_.http->clock.mono + 500;
    }
    ASSERT_EQ(rig_.started.size(), 1u) << "timer " << id;
    EXPECT_EQ(rig_.started[0].timer->id, id);
    rig_.ReleaseOps();
    rig_.Pump();
    EXPECT_EQ(set.answer->status, 201);
    for (size_t i = first + 1; i < sent_.size(); ++i) {
      ASSERT_TRUE(sent_[i].answer);
      EXPECT_EQ(sent_[i].answer->body, nothing_.body);
    }
    user.timers.insert(id);
  }

  // Time passes until nothing is left to fire.
  void LetAllFire() {
    constexpr std::array<size_t, 3> kAlive{1, 2, 6};  // in Counts: pending, retrying, firing
    const auto alive = [&] {
      for (const User& user : users_) {
        const auto counts = Counts(user);
        for (const size_t state : kAlive) {
          if (counts[state] != R"({"count":0})") return true;
        }
      }
      return false;
    };
    for (int minute = 0; minute < 600 && alive(); ++minute) rig_.PassAndAnswer(kMinuteMs, 200);
    EXPECT_FALSE(alive());
  }

  void Step() {
    User& user = users_[Random(2)];
    const User& other = users_[&user == &users_[0] ? 1 : 0];
    if (Random(150) == 0) return LetTimePass();
    if (Random(2) == 0) return Read(user);
    if (Random(8) != 0) return Change(user);
    StartAllThatIsDue();
    const auto before = Counts(other);
    Change(user);
    EXPECT_EQ(Counts(other), before) << "what one user did, the other noticed";
  }

  HttpApiRig rig_;
  std::mt19937_64 random_{kSeed};
  std::array<User, 2> users_;
  Response nothing_;
  TimerId last_ = 0;
  uint64_t foreign_ = 0;
  std::deque<OneAnswer> sent_;
};

TEST_F(TwoTenants, NeitherSeesAnythingOfTheOther) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  nothing_ = Ask(users_[0], Verb::kGet, "/timers/" + std::to_string(kNeverGiven));
  ASSERT_EQ(nothing_.status, 404);
  std::set<std::string> seen;
  for (int i = 0; i < kOperations && !HasFailure(); ++i) {
    Step();
    if (i % 1000 != 0) continue;
    for (const User& user : users_) {
      const auto counts = Counts(user);
      for (size_t s = 0; s < kStates.size(); ++s) {
        if (counts[s + 1] != R"({"count":0})") seen.emplace(kStates[s]);
      }
    }
  }
  EXPECT_GT(foreign_, 20'000u) << "ids of the other were asked for";
  EXPECT_GT(users_[0].keys.size() + users_[1].keys.size(), kKeys);
  EXPECT_EQ(seen.size(), kStates.size()) << "timers in every state were there";
  LetAllFire();
  Meddle(users_[0], users_[1]);
  Meddle(users_[1], users_[0]);
  LetAllFire();
}

}  // namespace
}  // namespace belfry
