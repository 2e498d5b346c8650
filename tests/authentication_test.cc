// Who is let in: tokens, scopes, the limit on wrong tokens, and what the types make impossible.

#include "http/authentication.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "tests/support/http_api_rig.h"

namespace belfry {
namespace {

using Mode = Authentication::Mode;

// --- what does not compile -----------------------------------------------------------------------

static_assert(!std::is_default_constructible_v<Caller>);
static_assert(!std::is_constructible_v<Caller, TenantId>);
static_assert(!std::is_constructible_v<Caller, TenantId, const Grant*, Scope>);
static_assert(!std::is_default_constructible_v<Call>, "a Call without a Caller");
static_assert(!std::is_default_constructible_v<Endpoint>, "a route that names no scope");
static_assert(!std::is_constructible_v<decltype(PublicEndpoint::handler), void (*)(const Call&)>,
              "a route without a caller whose handler asks for one");
static_assert(
    !std::is_invocable_v<decltype(&TimerReader::Read), TimerReader&, std::string_view, WallMs>,
    "a timer that is nobody's");

// --- one request ---------------------------------------------------------------------------------

class AuthenticationTest : public testing::Test {
 protected:
  void Admit(const std::string& token, Scopes scopes = Scopes::All(),
             std::optional<WallMs> expires = {}) {
    Grant grant{TokenHasher().Hash(token), tenant_, scopes, expires};
    EXPECT_TRUE(table_.Add(grant));
    authentication_.SetTokens(table_);
  }
  std::optional<Caller> Ask(std::vector<HeaderField> headers, Scope scope = Scope::kTimersRead) {
    Request request;
    request.headers = std::move(headers);
    request.peer.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, last_byte_};
    request.peer.over_tcp = over_tcp_;
    refusal_ = {};
    return authentication_.Admit(request, scope, &refusal_);
  }
  std::optional<Caller> AskWith(std::string_view authorization, Scope scope = Scope::kTimersRead) {
    return Ask({{"Host", "h"}, {"aUthorization", authorization}}, scope);
  }
  void Expect401(std::vector<HeaderField> headers) {
    EXPECT_FALSE(Ask(std::move(headers)));
    EXPECT_EQ(refusal_.status, 401);
    EXPECT_EQ(refusal_.headers, "WWW-Authenticate: Bearer\r\n");
  }

  StillClock clock_;
  Authentication authentication_{Mode::kToken, clock_};
  TokenTable table_;
  TenantId tenant_ = 7;
  Response refusal_;
  uint8_t last_byte_ = 1;
  bool over_tcp_ = true;
};

TEST_F(AuthenticationTest, ARightTokenIsItsUser) {
  Admit("secret");
  const auto caller = AskWith("Bearer secret");
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->tenant(), 7u);
  EXPECT_TRUE(AskWith("bearer   secret  ")) << "schemes have no case";
}

TEST_F(AuthenticationTest, WithoutTokensEverybodyIsLocalAndMayDoAll) {
  Authentication none(Mode::kNone, clock_);
  Response refusal;
  for (int i = 0; i < kScopes; ++i) {
    const auto caller = none.Admit(Request(), static_cast<Scope>(i), &refusal);
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->tenant(), kLocalTenant);
    EXPECT_TRUE(none.StillGood(caller->ticket()));
  }
}

TEST_F(AuthenticationTest, WhatIsNotARightTokenIs401) {
  Admit("secret");
  Expect401({});
  for (const char* wrong : {"Bearer wrong", "Bearer secre", "Bearer secrets", "Bearer SECRET",
                            "Bearer", "Bearer ", "Bearersecret", "Bearer secret secret",
                            "Bearer \"secret\"", "secret", "Basic secret", "Token secret", ""}) {
    Expect401({{"Authorization", wrong}});
  }
  Expect401({{"Authorization", "Bearer secret"}, {"Authorization", "Bearer secret"}});
  Expect401({{"Cookie", "Authorization=Bearer secret"}, {"X-Api-Key", "secret"}});
}

TEST_F(AuthenticationTest, UnknownAndExpiredTokensGetTheSameAnswer) {
  Admit("old", Scopes::All(), clock_.wall + 1);
  EXPECT_TRUE(AskWith("Bearer old"));
  clock_.wall = clock_.wall + 1;
  EXPECT_FALSE(AskWith("Bearer old"));
  const std::string expired = refusal_.body;
  EXPECT_FALSE(AskWith("Bearer unknown"));
  EXPECT_EQ(refusal_.body, expired);
  EXPECT_EQ(refusal_.body.find("unknown\""), std::string::npos);
}

TEST_F(AuthenticationTest, AScopeThatIsMissingIs403) {
  Scopes scopes;
  scopes.Add(Scope::kTimersRead);
  Admit("secret", scopes);
  EXPECT_TRUE(AskWith("Bearer secret", Scope::kTimersRead));
  for (const Scope scope :
       {Scope::kTimersWrite, Scope::kStopwatches, Scope::kStreams, Scope::kAdmin}) {
    EXPECT_FALSE(AskWith("Bearer secret", scope));
    EXPECT_EQ(refusal_.status, 403);
    EXPECT_NE(refusal_.body.find("/problems/forbidden"), std::string::npos);
    EXPECT_NE(refusal_.body.find(ScopeName(scope)), std::string::npos);
  }
}

TEST_F(AuthenticationTest, ATicketIsGoodForAsLongAsItsToken) {
  Admit("secret", Scopes::All(), clock_.wall + kHourMs);
  const Ticket ticket = AskWith("Bearer secret", Scope::kStopwatches)->ticket();
  EXPECT_TRUE(authentication_.StillGood(ticket));
  Scopes scopes;
  scopes.Add(Scope::kTimersRead);
  table_ = {};
  Admit("secret", scopes);
  EXPECT_FALSE(authentication_.StillGood(ticket)) << "its scope was taken";
  table_ = {};
  Admit("secret", Scopes::All(), clock_.wall + kHourMs);
  EXPECT_TRUE(authentication_.StillGood(ticket));
  table_ = {};
  tenant_ = 8;
  Admit("secret", Scopes::All(), clock_.wall + kHourMs);
  EXPECT_FALSE(authentication_.StillGood(ticket)) << "it is another user's now";
  table_ = {};
  tenant_ = 7;
  Admit("secret", Scopes::All(), clock_.wall + kHourMs);
  EXPECT_TRUE(authentication_.StillGood(ticket));
  clock_.wall = clock_.wall + kHourMs;
  EXPECT_FALSE(authentication_.StillGood(ticket)) << "expired";
  authentication_.SetTokens({});
  EXPECT_FALSE(authentication_.StillGood(ticket)) << "revoked";
}

TEST_F(AuthenticationTest, WhoKeepsATicketIsToldOfEveryChange) {
  int told = 0;
  authentication_.WhenTokensChange([&] { ++told; });
  Admit("secret");
  EXPECT_EQ(told, 1);
  const Ticket ticket = AskWith("Bearer secret")->ticket();
  bool good = true;
  authentication_.WhenTokensChange([&] { good = authentication_.StillGood(ticket); });
  authentication_.SetTokens({});
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(good) << "asked when the new ones hold";
}

TEST_F(AuthenticationTest, ManyTokensTakeTurnsAndEachIsItsOwnUser) {
  TokenTable table;
  const auto token = [](int i) { return "token " + std::string(i % 90, 'x') + std::to_string(i); };
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(
        table.Add({TokenHasher().Hash(token(i)), static_cast<TenantId>(i + 2), Scopes::All(), {}}));
  }
  authentication_.SetTokens(std::move(table));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) {
      for (int twice = 0; twice < 2; ++twice) {
        const auto caller = AskWith("Bearer " + token(i));
        ASSERT_TRUE(caller) << i;
        ASSERT_EQ(caller->tenant(), static_cast<TenantId>(i + 2));
      }
    }
  }
}

TEST(TokenCache, AHitNeedsEveryByteAndNoneIsLeftAfterClear) {
  TokenCache cache;
  const Grant grant;
  const std::string token = "blf_abcdefghijklmnopqrstuvwxyz";
  cache.Keep(token, &grant);
  EXPECT_EQ(cache.Find(token), &grant);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] ^= 1;
    EXPECT_EQ(cache.Find(other), nullptr) << i;
    EXPECT_EQ(cache.Find(token.substr(0, i)), nullptr) << i;
  }
  EXPECT_EQ(cache.Find(token + "a"), nullptr);
  EXPECT_EQ(cache.Find(""), nullptr);
  cache.Clear();
  EXPECT_EQ(cache.Find(token), nullptr);
  const std::string longest(63, 'x');
  cache.Keep(longest, &grant);
  cache.Keep(longest + "x", &grant);
  EXPECT_EQ(cache.Find(longest), &grant);
  EXPECT_EQ(cache.Find(longest + "x"), nullptr) << "too long to be kept";
}

TEST_F(AuthenticationTest, ATokenIsAddedOnce) {
  Grant grant{TokenHasher().Hash("secret"), 7, Scopes::All(), {}};
  EXPECT_TRUE(table_.Add(grant));
  EXPECT_FALSE(table_.Add(grant));
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(AuthenticationTest, HashesThatBeginAlikeAreTwoTokens) {
  TokenHash one = TokenHasher().Hash("secret");
  TokenHash two = one;
  two[31] ^= 1;
  EXPECT_TRUE(table_.Add({one, 7, Scopes::All(), {}}));
  EXPECT_TRUE(table_.Add({two, 8, Scopes::All(), {}}));
  ASSERT_NE(table_.Find(one), nullptr);
  ASSERT_NE(table_.Find(two), nullptr);
  EXPECT_EQ(table_.Find(one)->tenant, 7u);
  EXPECT_EQ(table_.Find(two)->tenant, 8u);
  one[8] ^= 1;
  EXPECT_EQ(table_.Find(one), nullptr);
}

TEST_F(AuthenticationTest, TheHashIsSha256) {
  const TokenHash hash = TokenHasher().Hash("abc");
  const TokenHash wanted{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                         0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                         0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  EXPECT_EQ(hash, wanted);
}

TEST_F(AuthenticationTest, ScopesHaveTheNamesOfTheContract) {
  for (const char* name : {"timers:read", "timers:write", "stopwatches", "streams", "admin"}) {
    const auto scope = ScopeNamed(name);
    ASSERT_TRUE(scope) << name;
    EXPECT_EQ(ScopeName(*scope), name);
  }
  EXPECT_FALSE(ScopeNamed("Admin"));
  EXPECT_FALSE(ScopeNamed(""));
}

// --- wrong tokens --------------------------------------------------------------------------------

TEST_F(AuthenticationTest, AHundredWrongTokensAreFineAndOneMoreIs429ForThatAddress) {
  Admit("secret");
  for (uint32_t i = 0; i < kWrongTokensMax; ++i) Expect401({{"Authorization", "Bearer wrong"}});
  EXPECT_TRUE(AskWith("Bearer secret"));
  EXPECT_FALSE(AskWith("Bearer wrong"));
  EXPECT_EQ(refusal_.status, 429);
  EXPECT_EQ(refusal_.headers, "Retry-After: 11\r\n");
  Expect401({});
  last_byte_ = 2;
  Expect401({{"Authorization", "Bearer wrong"}});
  over_tcp_ = false;
  Expect401({{"Authorization", "Bearer wrong"}});
}

TEST_F(AuthenticationTest, WhoIsWrongLocksOutNobodyElseAtTheSameAddress) {
  Admit("secret");
  Admit("other");
  EXPECT_TRUE(AskWith("Bearer secret"));
  for (uint32_t i = 0; i <= 3 * kWrongTokensMax; ++i) (void)AskWith("Bearer wrong");
  EXPECT_EQ(refusal_.status, 429);
  EXPECT_TRUE(AskWith("Bearer secret")) << "accepted before";
  EXPECT_TRUE(AskWith("Bearer other")) << "never seen before";
  EXPECT_FALSE(Ask({{"Authorization", "Bearer secret"}, {"Authorization", "Bearer secret"}}));
  EXPECT_EQ(refusal_.status, 429) << "two headers are not a good token";
  EXPECT_FALSE(AskWith("Bearer wrong"));
  EXPECT_EQ(refusal_.status, 429) << "and good ones do not reset the count";
}

TEST_F(AuthenticationTest, TheLimitEndsAfterItsTime) {
  Admit("secret");
  for (uint32_t i = 0; i <= kWrongTokensMax; ++i) (void)AskWith("Bearer wrong");
  EXPECT_FALSE(AskWith("Bearer wrong"));
  EXPECT_EQ(refusal_.status, 429);
  clock_.mono = clock_.mono + kWrongTokensSeconds * kSecondMs;
  EXPECT_FALSE(AskWith("Bearer wrong"));
  EXPECT_EQ(refusal_.headers, "Retry-After: 1\r\n");
  clock_.mono = clock_.mono + kSecondMs;
  Expect401({{"Authorization", "Bearer wrong"}});
}

TEST_F(AuthenticationTest, NoTokenIsNotAWrongOne) {
  Admit("secret");
  for (uint32_t i = 0; i < 3 * kWrongTokensMax; ++i) {
    Expect401({});
    Expect401({{"Authorization", "Basic x"}});
  }
  Expect401({{"Authorization", "Bearer wrong"}});
}

TEST_F(AuthenticationTest, OnAUnixSocketNobodyIsLimited) {
  Admit("secret");
  over_tcp_ = false;
  for (uint32_t i = 0; i < 3 * kWrongTokensMax; ++i) Expect401({{"Authorization", "Bearer x"}});
  EXPECT_TRUE(AskWith("Bearer secret"));
}

Peer V6(uint16_t network, uint16_t host) {
  Peer peer;
  peer.address = {0x20, 1, 0xd, 0xb8};
  peer.address[6] = static_cast<uint8_t>(network >> 8);
  peer.address[7] = static_cast<uint8_t>(network);
  peer.address[15] = static_cast<uint8_t>(host);
  return peer;
}

TEST(FailureLimit, AnIpv6NetworkCountsAsOneAddress) {
  FailureLimit limit;
  const MonoMs now{5000};
  for (uint16_t i = 0; i <= kWrongTokensMax; ++i) limit.Failed(V6(1, i), now);
  EXPECT_GT(limit.WaitSeconds(V6(1, 999), now), 0);
  EXPECT_EQ(limit.WaitSeconds(V6(2, 1), now), 0);
}

TEST(FailureLimit, ASteadyTrickleBelowTheLimitIsNeverBlocked) {
  FailureLimit limit;
  MonoMs now{0};
  for (int i = 0; i < 10'000; ++i) {
    now = now + 115;  // 95 in the eleven seconds that count
    limit.Failed(V6(1, 1), now);
    ASSERT_EQ(limit.WaitSeconds(V6(1, 1), now), 0) << i;
  }
}

TEST(FailureLimit, WhatItKeepsIsBounded) {
  FailureLimit limit;
  MonoMs now{1000};
  const auto fill = [&] {
    for (size_t i = 0; i < kWrongTokenAddressesMax + 100; ++i) {
      limit.Failed(V6(static_cast<uint16_t>(i), 1), now);
    }
  };
  fill();
  EXPECT_EQ(limit.addresses(), kWrongTokenAddressesMax);
  now = now + 2 * kWrongTokensSeconds * kSecondMs;
  limit.Failed(V6(0xffff, 1), now);
  EXPECT_EQ(limit.addresses(), 1u) << "the old ones made room";
}

TEST(FailureLimit, WhoHasMoreAddressesThanAreCountedIsLimitedToo) {
  FailureLimit limit;
  const MonoMs now{1000};
  uint16_t next = 0;
  while (limit.addresses() < kWrongTokenAddressesMax) limit.Failed(V6(next++, 1), now);
  for (uint32_t i = 1; i < kWrongTokensMax; ++i) limit.Failed(V6(next++, 1), now);
  EXPECT_EQ(limit.WaitSeconds(V6(next, 1), now), 0);
  limit.Failed(V6(next++, 1), now);
  EXPECT_GT(limit.WaitSeconds(V6(next, 1), now), 0) << "never seen before";
  EXPECT_EQ(limit.WaitSeconds(V6(0, 1), now), 0) << "counted by itself, and wrong once";
  const MonoMs later = now + 2 * kWrongTokensSeconds * kSecondMs;
  EXPECT_EQ(limit.WaitSeconds(V6(next, 1), later), 0);
}

// --- over HTTP -----------------------------------------------------------------------------------

std::string Bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

constexpr std::string_view kGuarded[] = {
    "POST /timers",         "GET /timers",         "HEAD /timers",
    "DELETE /timers",       "GET /timers/count",   "POST /timers/retry",
    "POST /timers/1/retry", "GET /timers/1",       "DELETE /timers/1",
    "GET /targets",         "POST /targets/pause", "POST /targets/resume",
    "POST /api/stopwatch",  "GET /api/stopwatch",  "DELETE /api/stopwatch/tea"};

std::string RequestFor(std::string_view line, const std::string& headers = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: any.example\r\n" + headers + "\r\n";
}

TEST(AuthenticationOverHttp, EveryRouteWithDataNeedsAToken) {
  HttpApiRig rig({}, Mode::kToken);
  rig.Admit("secret", 2);
  for (const std::string_view line : kGuarded) {
    for (const std::string& headers : {std::string(), Bearer("wrong")}) {
      const std::string answer = line.starts_with("HEAD")
                                     ? rig.Ask(RequestFor("GET /timers", headers))
                                     : rig.Ask(RequestFor(line, headers));
      EXPECT_EQ(StatusLine(answer), "HTTP/1.1 401 Unauthorized") << line;
      EXPECT_TRUE(HasLine(answer, "WWW-Authenticate: Bearer")) << line;
    }
  }
  EXPECT_EQ(StatusLine(rig.Ask(RequestFor("GET /health"))), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusLine(rig.Ask(RequestFor("GET /ready"))), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusLine(rig.Ask(RequestFor("GET /nowhere"))), "HTTP/1.1 404 Not Found");
}

TEST(AuthenticationOverHttp, WhoMayNotCallLearnsNothingElse) {
  HttpApiRig rig({}, Mode::kToken);
  EXPECT_EQ(StatusLine(rig.Ask(PostJson("/timers", "not json"))), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers?wrong=1"))), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers?access_token=secret"))), "HTTP/1.1 401 Unauthorized");
}

TEST(AuthenticationOverHttp, EachRouteHasItsScope) {
  HttpApiRig rig({}, Mode::kToken);
  const auto allowed = [&](Scope scope) {
    Scopes scopes;
    scopes.Add(scope);
    const std::string token = "t" + std::string(ScopeName(scope));
    rig.Admit(token, 2, scopes);
    std::vector<std::string_view> lines;
    for (const std::string_view line : kGuarded) {
      if (line.starts_with("HEAD")) continue;
      const std::string status = StatusLine(rig.Ask(RequestFor(line, Bearer(token))));
      if (status != "HTTP/1.1 403 Forbidden") lines.push_back(line);
    }
    return lines;
  };
  using Lines = std::vector<std::string_view>;
  EXPECT_EQ(allowed(Scope::kTimersRead),
            (Lines{"GET /timers", "GET /timers/count", "GET /timers/1"}));
  EXPECT_EQ(allowed(Scope::kTimersWrite),
            (Lines{"POST /timers", "DELETE /timers", "POST /timers/retry", "POST /timers/1/retry",
                   "DELETE /timers/1"}));
  EXPECT_EQ(allowed(Scope::kAdmin),
            (Lines{"GET /targets", "POST /targets/pause", "POST /targets/resume"}));
  EXPECT_EQ(allowed(Scope::kStopwatches),
            (Lines{"POST /api/stopwatch", "GET /api/stopwatch", "DELETE /api/stopwatch/tea"}));
}

TEST(AuthenticationOverHttp, ARevokedTokenEndsWithTheNextRequestOfItsConnection) {
  HttpApiRig rig({}, Mode::kToken);
  rig.Admit("a", 2);
  rig.Admit("b", 3);
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers", Bearer("a")))), "HTTP/1.1 200 OK");
  rig.grants.erase(rig.grants.begin());
  rig.SetGrants();
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers", Bearer("a")))), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers", Bearer("b")))), "HTTP/1.1 200 OK");
  EXPECT_FALSE(rig.client->ended);
}

TEST(AuthenticationOverHttp, WithoutTokensPagesOfOtherSitesChangeNothing) {
  HttpApiRig rig({.cors_origins = {"https://app.example"}});
  const auto asked = [&](std::string_view what, const std::string& headers) {
    return StatusLine(rig.Ask(std::string(what) + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                              "\r\n"))
        .substr(9, 3);
  };
  const std::string theirs = "Origin: https://evil.example\r\nSec-Fetch-Site: ";
  for (const std::string site : {"cross-site", "same-site"}) {
    EXPECT_EQ(asked("POST /timers/retry", theirs + site + "\r\n"), "403") << site;
    EXPECT_EQ(asked("POST /users/ann/streams", theirs + site + "\r\n"), "403") << site;
    EXPECT_EQ(asked("DELETE /timers", theirs + site + "\r\n"), "403") << site;
    EXPECT_EQ(asked("POST /timers/retry", "Sec-Fetch-Site: " + site + "\r\n"), "403") << site;
    EXPECT_EQ(asked("GET /timers", theirs + site + "\r\n"), "200") << site;
    EXPECT_EQ(asked("POST /timers/retry",
                    "Origin: https://app.example\r\nSec-Fetch-Site: " + site + "\r\n"),
              "202");
  }
  for (const std::string site : {"same-origin", "none"}) {
    EXPECT_EQ(asked("POST /timers/retry", "Sec-Fetch-Site: " + site + "\r\n"), "202") << site;
  }
  EXPECT_EQ(asked("POST /timers/retry", "Origin: https://evil.example\r\n"), "202");

  HttpApiRig open({}, Mode::kToken);
  open.Admit("a", kLocalTenant);
  EXPECT_EQ(StatusLine(open.Ask(RequestFor("POST /timers/retry",
                                           Bearer("a") + "Sec-Fetch-Site: cross-site\r\n"))),
            "HTTP/1.1 202 Accepted");
}

TEST(AuthenticationOverHttp, APreflightNeedsNoToken) {
  HttpApiRig rig({.cors_origins = {"https://app.example"}}, Mode::kToken);
  const std::string answer = rig.Ask(
      "OPTIONS /timers HTTP/1.1\r\nHost: any.example\r\nOrigin: https://app.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 204 No Content");
  const std::string refused = rig.Ask(RequestFor("GET /timers", "Origin: https://app.example\r\n"));
  EXPECT_TRUE(HasLine(refused, "Access-Control-Allow-Origin: https://app.example"));
}

}  // namespace
}  // namespace belfry
