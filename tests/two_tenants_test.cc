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
#include "tests/support/one_answer.h"

namespace belfry {
namespace {

constexpr uint64_t kSeed = 20261121;
constexpr int kOperations = 100'000;
constexpr TimerId kNeverGiven = 1'000'000'000;
constexpr size_t kKeys = 40;
constexpr std::array<std::string_view, 6> kStates{"pending", "retrying",  "delivered",
                                                  "dead",    "cancelled", "firing"};

struct User {
  std::string authorization;
  std::string mark;                           // in every URL of theirs
  std::set<TimerId> timers;                   // theirs, and not deleted by DELETE /timers
  std::map<std::string, TimerId> keys;        // idempotency keys: what they made
  std::map<std::string, std::string> bodies;  // and with which body
  std::string name;
  std::set<std::string> stopwatches;
  std::map<std::string, std::set<std::string>> slots;  // by player: their streams
  std::map<std::string, WallMs> brief;                 // streams that lapse soon: when
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
    Send(request, one);
    for (int turn = 0; turn < 30 && !one.whole; ++turn) rig_.Pump();
    EXPECT_TRUE(one.whole) << path;
    if (!one.answer) return {};
    const User& other = OtherThan(user);
    EXPECT_EQ(one.answer->body.find(other.mark), std::string::npos) << path << '?' << query;
    EXPECT_EQ(one.answer->headers.find(other.mark), std::string::npos);
    return std::move(*one.answer);
  }
  void Send(const Request& request, OneAnswer& one) {
    ++asked_[RouteOf(request.verb, request.path)];
    rig_.router().Handle(request, {&one, 0, 0});
    for (int turn = 0; turn < 30 && !one.answer; ++turn) rig_.Pump();
    if (one.source != nullptr) one.source->HasRoom(one.stream);
  }

  // As Router::Routes has it; "" when there is none.
  std::string RouteOf(Verb verb, std::string_view path) {
    const std::string name(VerbName(verb == Verb::kHead ? Verb::kGet : verb));
    for (const std::string& route : routes_) {
      const size_t space = route.find(' ');
      if (route.substr(0, space) == name && Fits(route.substr(space + 1), path)) return route;
    }
    return "";
  }
  static bool Fits(std::string_view pattern, std::string_view path) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    while (!pattern.empty() && !path.empty()) {
      const std::string_view wanted = pattern.substr(0, pattern.find('/', 1));
      const std::string_view segment = path.substr(0, path.find('/', 1));
      const bool number = std::all_of(segment.begin() + 1, segment.end(), is_digit);
      const bool any = wanted == "/{id}" ? number : wanted.starts_with("/{");
      if (!any && wanted != segment) return false;
      pattern.remove_prefix(wanted.size());
      path.remove_prefix(segment.size());
    }
    return pattern.empty() && path.empty();
  }
  [[nodiscard]] User& OtherThan(const User& user) { return users_[&user == &users_[0] ? 1 : 0]; }

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

  // More than a page of them, so that lists are streamed.
  std::string AnyName() {
    const uint64_t n = Random(2 * HttpApiRig::kPageRows + 2);
    return n == 0 ? "events" : "n" + std::to_string(n);
  }

  // Names are shared: who has one sees who else has.
  void Stopwatch(User& user) {
    const User& other = OtherThan(user);
    const std::string name = AnyName();
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

  // Who watches is told of what is theirs, and of a name that they have; of nothing else.
  void Watch(User& user) {
    User& other = OtherThan(user);
    const std::string name = AnyName();
    const bool own = Random(2) == 0;
    const std::string query = own ? "own=true" : "name=" + name;
    Request request;
    request.verb = Verb::kGet;
    request.path = "/api/stopwatch/events";
    request.query = query;
    request.headers = {{"Host", "h"}, {"Authorization", user.authorization}};
    OneAnswer events;
    Send(request, events);
    ASSERT_TRUE(events.answer);
    if (!own && !user.stopwatches.contains(name)) {
      EXPECT_EQ(events.answer->status, 403);
      EXPECT_NE(events.answer->body.find("/problems/not-owned"), std::string::npos);
      return;
    }
    ASSERT_EQ(events.answer->status, 200);
    const std::string& text = events.answer->body;
    for (int turn = 0; turn < 30 && text.find("\nid: ") == std::string::npos; ++turn) rig_.Pump();
    size_t rows = own ? user.stopwatches.size() : 1;
    if (!own && other.stopwatches.contains(name)) ++rows;
    EXPECT_EQ(CountOf(text, "\"user\":"), rows) << text;
    EXPECT_EQ(CountOf(text, "\"user\":\"" + other.name), own ? 0 : rows - 1) << text;

    const size_t before = text.size();
    const std::string changed = AnyName();
    const std::string body = "{\"name\":\"" + changed + "\"}";
    EXPECT_EQ(Ask(other, Verb::kPost, "/api/stopwatch", "", body).status / 100, 2);
    other.stopwatches.insert(changed);
    rig_.Pump();
    const bool told = !own && changed == name;
    EXPECT_EQ(text.find(other.name, before) != std::string::npos, told) << text;
    EXPECT_EQ(text.size() > before, told) << text;
    if (events.source != nullptr) events.source->Gone(events.stream);
  }
  static size_t CountOf(std::string_view text, std::string_view what) {
    size_t count = 0;
    for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
    return count;
  }

  // Streams that nobody renews; when they lapse, a timer of their owner's tells of it.
  void StartBrief(User& user) {
    const std::string ttl = std::to_string(1 + Random(3)) + "s";
    const std::string body = "{\"ttl\":\"" + ttl +
                             "\",\"policy\":\"evict_oldest\",\"on_expire\":{\"url\":\"" +
                             user.mark + "\"}}";
    const Response got = Ask(user, Verb::kPost, "/users/brief/streams", "", body);
    ASSERT_EQ(got.status, 201) << got.body;
    for (auto it = user.brief.begin(); it != user.brief.end();) {
      const bool evicted = got.body.find(it->first) != std::string::npos;
      it = evicted ? user.brief.erase(it) : std::next(it);
    }
    user.brief[got.body.substr(13, 36)] = rig_.http->clock.wall + (ttl[0] - '0') * kSecondMs;
  }
  // Time has passed: the timers that tell of lapses are those of the user whose streams they were.
  void TakeLapses(User& user) {
    const size_t lapsed = std::erase_if(
        user.brief, [&](const auto& one) { return one.second <= rig_.http->clock.wall; });
    const std::string query = "limit=1000&after=" + std::to_string(last_);
    const std::vector<TimerId> ids = IdsIn(Ask(user, Verb::kGet, "/timers", query).body);
    EXPECT_EQ(ids.size(), lapsed);
    user.timers.insert(ids.begin(), ids.end());
    lapses_ += lapsed;
  }

  void TakeAllLapses() {
    for (User& user : users_) TakeLapses(user);
    for (const User& user : users_) {
      if (!user.timers.empty()) last_ = std::max(last_, *user.timers.rbegin());
    }
  }

  // Players of the same names, who have nothing to do with each other.
  void Slot(User& user) {
    const User& other = OtherThan(user);
    const std::string player = "p" + std::to_string(Random(3));
    const std::string path = "/users/" + player;
    const auto mine = user.slots.find(player);
    const bool known = mine != user.slots.end();
    const auto found = other.slots.find(player);
    const std::set<std::string> theirs =
        found == other.slots.end() ? std::set<std::string>() : found->second;
    switch (Random(8)) {
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
      case 3: {
        const std::string body = "{\"userId\":\"" + player + "\"}";
        EXPECT_EQ(Ask(user, Verb::kPost, "/users", "", body).status, known ? 409 : 201);
        user.slots[player];
        break;
      }
      case 4:
        return StartBrief(user);
      default: {
        const Response got = Ask(user, Verb::kPost, path + "/streams", "", R"({"ttl":"30d"})");
        std::set<std::string>& streams = user.slots[player];
        EXPECT_EQ(got.status, streams.size() < 3 ? 201 : 409);
        if (got.status == 201) streams.insert(got.body.substr(13, 36));
      }
    }
    CheckSlots(user, player);
    CheckSlots(other, player);
  }
  void CheckSlots(const User& user, const std::string& player) {
    const std::string users = Ask(user, Verb::kGet, "/users").body;
    for (const char* name : {"p0", "p1", "p2"}) {
      const bool listed = users.find("{\"userId\":\"" + std::string(name)) != std::string::npos;
      EXPECT_EQ(listed, user.slots.contains(name));
    }
    const auto mine = user.slots.find(player);
    const Response one = Ask(user, Verb::kGet, "/users/" + player);
    EXPECT_EQ(one.status, mine == user.slots.end() ? 404 : 200) << player;
    const Response got = Ask(user, Verb::kGet, "/users/" + player + "/streams");
    EXPECT_EQ(got.status, mine == user.slots.end() ? 404 : 200) << player;
    if (got.status != 200) return;
    EXPECT_TRUE(got.body.starts_with("{\"count\":" + std::to_string(mine->second.size()) + ","));
    for (const std::string& id : mine->second) EXPECT_NE(got.body.find(id), std::string::npos);
    const std::string active = "\"active\":" + std::to_string(mine->second.size()) + ",";
    EXPECT_NE(one.body.find(active), std::string::npos) << one.body;
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
        for (const char* verb : {"pause", "resume"}) {
          const std::string path = "/targets/" + std::string(verb);
          EXPECT_EQ(Ask(user, Verb::kPost, path, "", R"({"all":true})").status, 403);
        }
        return;
      case 3:
      case 4:
      case 5:
        return Stopwatch(user);
      case 6:
      case 7:
      case 8:
        return Slot(user);
      case 9:
        return Watch(user);
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
    StartAllThatIsDue();
    TakeAllLapses();
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
    const Response first_set = Ask(user, Verb::kPost, "/timers", "", DueIn(user, 0));
    last_ = IdsIn(first_set.body).at(0);
    user.timers.insert(last_);
    LetAllFire();
    rig_.started.clear();
    const TimerId id = last_ + 1;
    const std::string path = "/timers/" + std::to_string(id);
    const size_t first = sent_.size();
    const OneAnswer& set = Send(user, Verb::kPost, "/timers", DueIn(user, 1));
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
    rig_.PassAndAnswer(0, 200);
    EXPECT_EQ(set.answer->status, 201);
    for (size_t i = first + 1; i < sent_.size(); ++i) {
      ASSERT_TRUE(sent_[i].answer);
      EXPECT_EQ(sent_[i].answer->body, nothing_.body);
    }
    user.timers.insert(id);
    last_ = id;
  }
  static std::string DueIn(const User& user, int seconds) {
    return "{\"url\":\"" + user.mark + "\",\"seconds\":" + std::to_string(seconds) + "}";
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
    for (int round = 0; round < 2000 && alive(); ++round) {
      StartAllThatIsDue();
      rig_.PassAndAnswer(kMinuteMs, 200);
      TakeAllLapses();
    }
    EXPECT_FALSE(alive());
  }

  void Step() {
    User& user = users_[Random(2)];
    const User& other = OtherThan(user);
    if (Random(150) == 0) return LetTimePass();
    if (Random(2) == 0) return Read(user);
    if (Random(8) != 0) return Change(user);
    StartAllThatIsDue();
    const auto before = Counts(other);
    Change(user);
    EXPECT_EQ(Counts(other), before) << "what one user did, the other noticed";
  }

  // Of the routes that need a token, each, and how often it was asked for.
  std::map<std::string, uint64_t> AskedRoutes() {
    std::map<std::string, uint64_t> out;
    for (const std::string& route : routes_) {
      const size_t space = route.find(' ');
      std::string path;
      for (std::string_view rest(&route[space + 1]); !rest.empty();) {
        const std::string_view segment = rest.substr(0, rest.find('/', 1));
        path += segment.starts_with("/{") ? "/1" : segment;
        rest.remove_prefix(segment.size());
      }
      Request request;
      request.path = path;
      request.headers = {{"Host", "h"}};
      for (const Verb verb : {Verb::kGet, Verb::kPost, Verb::kPut, Verb::kDelete}) {
        if (VerbName(verb) == route.substr(0, space)) request.verb = verb;
      }
      OneAnswer one;
      rig_.router().Handle(request, {&one, 0, 0});
      if (one.answer && one.answer->status == 401) out[route] = asked_[route];
    }
    return out;
  }

  HttpApiRig rig_;
  const std::vector<std::string> routes_ = rig_.router().Routes();
  std::map<std::string, uint64_t> asked_;  // by route
  std::mt19937_64 random_{kSeed};
  std::array<User, 2> users_;
  Response nothing_;
  TimerId last_ = 0;
  uint64_t foreign_ = 0;
  std::deque<OneAnswer> sent_;
  uint64_t lapses_ = 0;
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
  EXPECT_GT(lapses_, 100u) << "streams lapsed";
  const auto routes = AskedRoutes();
  EXPECT_GT(routes.size(), 20u);
  for (const auto& [route, times] : routes) EXPECT_GT(times, 50u) << route;
  LetAllFire();
  Meddle(users_[0], users_[1]);
  Meddle(users_[1], users_[0]);
  LetAllFire();
}

}  // namespace
}  // namespace belfry
