#include "delivery/resolver.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/limits.h"
#include "delivery/curl_sender.h"
#include "tests/support/receiver_dns.h"
#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"
#include "tests/support/receiver_silent.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

class ResolverRig {
 public:
  ResolverRig() : dns(loop) {
    auto opened = Resolver::Open(
        loop.get(), clock, dns.address(),
        [this](Resolver::Ticket ticket, const LookupAnswer& answer) { answers[ticket] = answer; });
    resolver = std::move(opened.value());
  }

  // Waits for it when it is not known at once.
  LookupAnswer Lookup(const std::string& name, int64_t timeout_ms = kResolveTimeoutMs) {
    Resolver::Ticket ticket = 0;
    const auto now = resolver->Lookup(name, timeout_ms, &ticket);
    if (now) return *now;
    CHECK(!answers.contains(ticket));
    CHECK(loop.RunUntil([&] { return answers.contains(ticket); }));
    return answers[ticket];
  }

  // "a b c", in any order the resolver likes.
  std::set<std::string> Addresses(const std::string& name) {
    std::set<std::string> texts;
    for (const IpAddress& ip : Lookup(name).addresses) texts.insert(FormatIp(ip));
    return texts;
  }

  TestLoop loop;
  HandClock clock;
  DnsServer dns;
  std::map<Resolver::Ticket, LookupAnswer> answers;
  std::unique_ptr<Resolver> resolver;
};

using Set = std::set<std::string>;

TEST(Resolver, FindsIpv4AndIpv6Addresses) {
  ResolverRig rig;
  rig.dns.Answer("a.test", {"192.0.2.1", "192.0.2.2", "2001:db8::1"});
  EXPECT_EQ(rig.Addresses("a.test"), (Set{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
  EXPECT_EQ(rig.Lookup("a.test").result, LookupResult::kFound);
}

TEST(Resolver, OfManyAddressesSomeOfEachFamilyAreKeptIpv6First) {
  ResolverRig rig;
  std::vector<std::string> addresses;
  for (int i = 1; i <= 15; ++i) {
    addresses.push_back("127.0.0." + std::to_string(i));
    addresses.push_back("::1");
  }
  rig.dns.Answer("many.test", addresses);
  const std::vector<IpAddress> kept = rig.Lookup("many.test").addresses;
  ASSERT_EQ(kept.size(), kDnsAddressesMax / 2 + 1);
  EXPECT_EQ(FormatIp(kept[0]), "::1");
  EXPECT_EQ(FormatIp(kept[1]), "127.0.0.1");
}

TEST(Resolver, ANameThatDoesNotExistFails) {
  ResolverRig rig;
  rig.dns.ServFail("broken.test");
  rig.dns.Answer("empty.test", {});
  for (const char* name : {"missing.test", "broken.test", "empty.test"}) {
    const LookupAnswer answer = rig.Lookup(name);
    EXPECT_EQ(answer.result, LookupResult::kFailed) << name;
    EXPECT_TRUE(answer.addresses.empty());
  }
}

TEST(Resolver, LocalhostIsLoopbackAndNobodyIsAsked) {
  ResolverRig rig;
  for (const char* name : {"localhost", "a.localhost"}) {
    EXPECT_EQ(rig.Addresses(name), (Set{"127.0.0.1", "::1"})) << name;
    EXPECT_EQ(rig.dns.questions(name), 0) << name;
  }
  rig.dns.Answer("notlocalhost", {"192.0.2.1"});
  EXPECT_EQ(rig.Addresses("notlocalhost"), Set{"192.0.2.1"});
}

TEST(Resolver, TheHostsFileComesFirst) {
  const TempDir dir;
  const std::string path = dir.path() + "/hosts";
  std::ofstream(path) << "192.0.2.7 named.test\n";
  setenv("CARES_HOSTS", path.c_str(), 1);
  ResolverRig rig;
  rig.dns.Answer("named.test", {"192.0.2.8"});
  rig.dns.Answer("other.test", {"192.0.2.9"});
  EXPECT_EQ(rig.Addresses("named.test"), Set{"192.0.2.7"});
  EXPECT_EQ(rig.dns.questions("named.test"), 0);
  EXPECT_EQ(rig.Addresses("other.test"), Set{"192.0.2.9"});
  unsetenv("CARES_HOSTS");
}

TEST(Resolver, OneQuestionServesAllWhoWait) {
  ResolverRig rig;
  rig.dns.Answer("a.test", {"192.0.2.1"});
  for (int i = 0; i < 100; ++i) {
    Resolver::Ticket ticket = 0;
    EXPECT_FALSE(rig.resolver->Lookup("a.test", kResolveTimeoutMs, &ticket).has_value());
  }
  EXPECT_EQ(rig.resolver->queries(), 1u);
  ASSERT_TRUE(rig.loop.RunUntil([&] { return rig.answers.size() == 100; }));
  EXPECT_EQ(rig.dns.questions("a.test"), 1);
  for (const auto& [ticket, answer] : rig.answers) EXPECT_EQ(answer.addresses.size(), 1u);
}

TEST(Resolver, AnswersAreKeptAsLongAsTheirTtlWithinBounds) {
  ResolverRig rig;
  rig.dns.Answer("short.test", {"192.0.2.1"}, 0);
  rig.dns.Answer("middle.test", {"192.0.2.1"}, 30);
  rig.dns.Answer("long.test", {"192.0.2.1"}, 86400);
  const std::vector<std::pair<std::string, int64_t>> names{{"short.test", kDnsTtlMsMin},
                                                           {"middle.test", 30 * kSecondMs},
                                                           {"long.test", kDnsTtlMsMax},
                                                           {"missing.test", kDnsNegativeTtlMs}};
  for (const auto& [name, ttl_ms] : names) {
    rig.Lookup(name);
    rig.clock.mono = rig.clock.mono + (ttl_ms - 1);
    rig.Lookup(name);
    EXPECT_EQ(rig.dns.questions(name), 1) << name;
    rig.clock.mono = rig.clock.mono + 1;
    rig.Lookup(name);
    EXPECT_EQ(rig.dns.questions(name), 2) << name;
  }
}

TEST(Resolver, ASilentServerTimesTheWaiterOutButTheQueryGoesOn) {
  ResolverRig rig;
  rig.dns.StaySilent("silent.test");
  EXPECT_EQ(rig.Lookup("silent.test", 50).result, LookupResult::kTimeout);
  EXPECT_EQ(rig.resolver->queries(), 1u);
  // Asked again, the server has woken up: the same query is repeated by c-ares.
  rig.dns.Answer("silent.test", {"192.0.2.7"});
  EXPECT_EQ(rig.Addresses("silent.test"), (Set{"192.0.2.7"}));
}

TEST(Resolver, ACancelledWaiterHearsNothing) {
  ResolverRig rig;
  rig.dns.Answer("a.test", {"192.0.2.1"});
  Resolver::Ticket cancelled = 0;
  Resolver::Ticket other = 0;
  ASSERT_FALSE(rig.resolver->Lookup("a.test", kResolveTimeoutMs, &cancelled).has_value());
  ASSERT_FALSE(rig.resolver->Lookup("a.test", kResolveTimeoutMs, &other).has_value());
  rig.resolver->Cancel(cancelled);
  ASSERT_TRUE(rig.loop.RunUntil([&] { return rig.answers.contains(other); }));
  EXPECT_FALSE(rig.answers.contains(cancelled));
}

TEST(Resolver, TheCacheIsBounded) {
  ResolverRig rig;
  for (size_t i = 0; i < kDnsNamesMax + 100; ++i) {
    rig.dns.Answer("n" + std::to_string(i) + ".test", {"192.0.2.1"});
  }
  for (size_t i = 0; i < kDnsNamesMax + 100; ++i) rig.Lookup("n" + std::to_string(i) + ".test");
  EXPECT_EQ(rig.resolver->names_kept(), kDnsNamesMax);
  rig.Lookup("n0.test");  // the oldest went first
  EXPECT_EQ(rig.dns.questions("n0.test"), 2);
}

TEST(Resolver, QueriesAreBounded) {
  ResolverRig rig;
  for (size_t i = 0; i < kDnsQueriesMax; ++i) {
    const std::string name = "n" + std::to_string(i) + ".test";
    rig.dns.StaySilent(name);
    Resolver::Ticket ticket = 0;
    ASSERT_FALSE(rig.resolver->Lookup(name, kResolveTimeoutMs, &ticket).has_value());
  }
  EXPECT_EQ(rig.Lookup("one-more.test").result, LookupResult::kBusy);
}

// What one caller can do with names that nobody answers and time-outs that are short.
class SilentFlood {
 public:
  explicit SilentFlood(ResolverRig& rig) : rig_(rig) {}

  // `count` more names, each given up by its waiter.
  void Ask(size_t count) {
    size_t given_up = 0;
    std::vector<Resolver::Ticket> tickets;
    for (size_t i = 0; i < count; ++i) {
      const std::string name = "silent" + std::to_string(asked_++) + ".test";
      rig_.dns.StaySilent(name);
      Resolver::Ticket ticket = 0;
      ASSERT_FALSE(rig_.resolver->Lookup(name, 1, &ticket).has_value()) << name;
      tickets.push_back(ticket);
    }
    for (const Resolver::Ticket ticket : tickets) {
      ASSERT_TRUE(rig_.loop.RunUntil([&] { return rig_.answers.contains(ticket); }));
      if (rig_.answers[ticket].result == LookupResult::kTimeout) ++given_up;
    }
    EXPECT_EQ(given_up, count);
  }

 private:
  ResolverRig& rig_;
  size_t asked_ = 0;
};

TEST(Resolver, NamesThatNobodyAnswersLeaveRoomForOthers) {
  ResolverRig rig;
  SilentFlood flood(rig);
  for (int round = 0; round < 100; ++round) {
    flood.Ask(100);
    const std::string good = "good" + std::to_string(round) + ".test";
    rig.dns.Answer(good, {"192.0.2.1"});
    EXPECT_EQ(rig.Lookup(good).result, LookupResult::kFound) << good;
    EXPECT_LE(rig.resolver->queries(), 2 * kDnsChannelQueriesMax);
  }
}

TEST(Resolver, ANameThatIsWaitedForOutlastsThem) {
  ResolverRig rig;
  rig.dns.StaySilent("slow.test");
  Resolver::Ticket slow = 0;
  ASSERT_FALSE(rig.resolver->Lookup("slow.test", kResolveTimeoutMs, &slow).has_value());
  ASSERT_TRUE(rig.loop.RunUntil([&] { return rig.dns.questions("slow.test") == 1; }));
  rig.dns.Answer("slow.test", {"192.0.2.1"});  // when it is asked again
  SilentFlood flood(rig);
  while (!rig.answers.contains(slow)) flood.Ask(100);
  EXPECT_EQ(rig.answers[slow].result, LookupResult::kFound);
}

TEST(Resolver, ServersThatAreNoAddressesAreRefused) {
  TestLoop loop;
  HandClock clock;
  const auto opened =
      Resolver::Open(loop.get(), clock, "not an address", [](Resolver::Ticket, const auto&) {});
  EXPECT_FALSE(opened.ok());
}

SenderOptions WithDns(const DnsServer& dns) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.dns_servers = dns.address();
  return options;
}

// A sender that asks a server on its own loop.
class NamedRig {
 public:
  NamedRig() : dns(rig.loop), receiver(rig.loop) { rig.Reopen(WithDns(dns)); }

  [[nodiscard]] std::string url(const std::string& host) const {
    return "http://" + host + ":" + std::to_string(receiver.port()) + "/";
  }

  SenderRig rig;
  DnsServer dns;
  Receiver receiver;
};

TEST(SenderNames, ANameIsResolvedAndTheConnectionReused) {
  NamedRig named;
  named.dns.Answer("a.test", {"127.0.0.1"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(named.rig.Send(named.url("a.test")).status, 200);
  EXPECT_EQ(named.dns.questions("a.test"), 1);
  EXPECT_EQ(named.receiver.connections(), 1);
  EXPECT_EQ(named.receiver.requests()[0].header("Host"),
            "a.test:" + std::to_string(named.receiver.port()));
}

// Whatever order the resolver gives them in.
TEST(SenderNames, TheNextAttemptBeginsWithTheNextAddress) {
  NamedRig named;
  SenderOptions options = WithDns(named.dns);
  options.connect_timeout_ms = kSecondMs;
  named.rig.Reopen(options);
  const SilentListener silent("127.0.0.3", named.receiver.port());
  named.dns.Answer("a.test", {"127.0.0.3", "127.0.0.1"});
  named.dns.Answer("b.test", {"127.0.0.1", "127.0.0.3"});
  for (const char* host : {"a.test", "b.test"}) {
    const Timer& timer = named.rig.NewTimer(named.url(host));
    const int32_t first = named.rig.Send(timer, 1).status;
    const int32_t second = named.rig.Send(timer, 2).status;
    EXPECT_TRUE(first == 200 || second == 200) << host;
  }
}

TEST(SenderNames, AnUnknownNameFailsAsDns) {
  NamedRig named;
  const Outcome outcome = named.rig.Send(named.url("missing.test"));
  EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
  EXPECT_EQ(outcome.error, "dns");
}

TEST(SenderNames, ASilentServerHoldsNobodyElseBack) {
  NamedRig named;
  SenderOptions options = WithDns(named.dns);
  options.resolve_timeout_ms = 300;
  named.rig.Reopen(options);
  named.dns.Answer("good.test", {"127.0.0.1"});
  for (int i = 0; i < 50; ++i) {
    const std::string silent = "silent" + std::to_string(i) + ".test";
    named.dns.StaySilent(silent);
    named.rig.Start(named.url(silent));
  }
  const Timer& good = named.rig.Start(named.url("good.test"));
  ASSERT_TRUE(named.rig.loop.RunUntil([&] { return !named.rig.outcomes.empty(); }));
  EXPECT_EQ(named.rig.outcomes[0].id, good.id);  // it overtook them all
  EXPECT_EQ(named.rig.outcomes[0].status, 200);
  ASSERT_TRUE(named.rig.Settle());
  for (size_t i = 1; i < named.rig.outcomes.size(); ++i) {
    EXPECT_EQ(named.rig.outcomes[i].error, "dns");
  }
}

TEST(SenderNames, TheAttemptsOwnTimeoutCoversTheLookup) {
  NamedRig named;
  named.dns.StaySilent("silent.test");
  Timer& timer = named.rig.NewTimer(named.url("silent.test"));
  timer.timeout_ms = kTimeoutMsMin;
  EXPECT_EQ(named.rig.Send(timer).kind, OutcomeKind::kTimeout);
}

TEST(SenderNames, AddressesThatThePolicyForbidsAreLeftOut) {
  NamedRig named;
  named.rig.sender->SetPolicy(PolicyOf({"127.0.0.1"}));
  named.dns.Answer("mixed.test", {"10.0.0.1", "127.0.0.2", "127.0.0.1", "::1"});
  named.dns.Answer("inside.test", {"10.0.0.1", "169.254.169.254", "127.0.0.2"});
  EXPECT_EQ(named.rig.Send(named.url("mixed.test")).status, 200);
  const Outcome outcome = named.rig.Send(named.url("inside.test"));
  EXPECT_EQ(outcome.kind, OutcomeKind::kForbidden);
  EXPECT_EQ(outcome.error, "policy");
}

TEST(SenderNames, ANameThatMovesInsideIsForbiddenOnceItIsLookedUpAgain) {
  NamedRig named;
  named.rig.sender->SetPolicy(PolicyOf({"127.0.0.1"}));
  named.dns.Answer("rebinds.test", {"127.0.0.1"}, 0);
  EXPECT_EQ(named.rig.Send(named.url("rebinds.test")).status, 200);
  named.dns.Answer("rebinds.test", {"127.0.0.2"}, 0);
  named.rig.clock.mono = named.rig.clock.mono + kDnsTtlMsMin;
  EXPECT_EQ(named.rig.Send(named.url("rebinds.test")).kind, OutcomeKind::kForbidden);
  EXPECT_EQ(named.receiver.requests().size(), 1u);
}

TEST(SenderNames, AConnectionToAnAddressThatIsForbiddenNowIsNotUsedForTheOthersOfItsName) {
  NamedRig named;
  named.dns.Answer("two.test", {"127.0.0.1", "127.0.0.9"});
  EXPECT_EQ(named.rig.Send(named.url("two.test")).status, 200);
  named.rig.sender->SetPolicy(PolicyOf({"loopback"}, {"127.0.0.1"}));
  EXPECT_EQ(named.rig.Send(named.url("two.test")).kind, OutcomeKind::kForbidden);
  EXPECT_EQ(named.receiver.requests().size(), 1u);
  EXPECT_EQ(named.receiver.connections(), 1);
}

TEST(SenderNames, WhoWaitsForAnAddressSaysSoAndSaysWhenItIsThere) {
  using Begun = Sender::Begun;
  NamedRig named;
  named.dns.Answer("a.test", {"127.0.0.1"});
  EXPECT_EQ(named.rig.Start(named.rig.NewTimer(named.receiver.url("/"))), Begun::kSending);
  const Timer& first = named.rig.NewTimer(named.url("a.test"));
  EXPECT_EQ(named.rig.Start(first), Begun::kLookingUp);
  EXPECT_EQ(named.rig.Start(named.rig.NewTimer(named.url("no.test"))), Begun::kLookingUp);
  ASSERT_TRUE(named.rig.Settle());
  EXPECT_EQ(named.rig.found, std::vector<TimerId>{first.id});
  // Both answers are kept.
  EXPECT_EQ(named.rig.Start(named.rig.NewTimer(named.url("a.test"))), Begun::kSending);
  EXPECT_EQ(named.rig.Start(named.rig.NewTimer(named.url("no.test"))), Begun::kSending);
  ASSERT_TRUE(named.rig.Settle());
  EXPECT_EQ(named.rig.found.size(), 1u);
}

TEST(SenderNames, WhoFindsAnAddressAndMayNotConnectHasNoSlot) {
  NamedRig named;
  named.dns.Answer("a.test", {"127.0.0.1"});
  named.rig.may_connect = false;
  const Timer& timer = named.rig.NewTimer(named.url("a.test"));
  const Outcome outcome = named.rig.Send(timer);
  EXPECT_EQ(outcome.kind, OutcomeKind::kNoSlot);
  EXPECT_EQ(named.rig.found, std::vector<TimerId>{timer.id});
  EXPECT_EQ(named.receiver.connections(), 0);
  EXPECT_EQ(named.rig.Send(timer).status, 200);  // the address is known: nobody is asked
}

TEST(SenderNames, WhoFindsNoAddressThatIsAllowedNeedsNoConnection) {
  NamedRig named;
  named.rig.may_connect = false;
  named.dns.Answer("a.test", {"10.0.0.1"});
  EXPECT_EQ(named.rig.Send(named.url("a.test")).kind, OutcomeKind::kForbidden);
  EXPECT_TRUE(named.rig.found.empty());
}

TEST(SenderNames, TheNextAddressIsTriedWhenOneRefuses) {
  NamedRig named;
  named.dns.Answer("two.test", {"127.0.0.9", "127.0.0.1"});
  EXPECT_EQ(named.rig.Send(named.url("two.test")).status, 200);
}

TEST(SenderNames, ANameThatCannotBeAskedForHoldsBackOnlyItsTarget) {
  NamedRig named;
  for (size_t i = 0; i < kDnsQueriesMax; ++i) {
    const std::string silent = "silent" + std::to_string(i) + ".test";
    named.dns.StaySilent(silent);
    named.rig.Start(named.url(silent));
  }
  const Timer& one_more = named.rig.Start(named.url("one-more.test"));
  ASSERT_TRUE(named.rig.loop.RunUntil([&] { return !named.rig.outcomes.empty(); }));
  const Outcome& outcome = named.rig.outcomes[0];
  EXPECT_EQ(outcome.id, one_more.id);
  EXPECT_EQ(outcome.kind, OutcomeKind::kLocalFault);
  EXPECT_EQ(outcome.fault_scope, FaultScope::kTarget);
}

TEST(SenderNames, InterruptingALookupEndsIt) {
  NamedRig named;
  named.dns.StaySilent("silent.test");
  named.rig.Start(named.url("silent.test"));
  named.rig.loop.RunTurns(2);
  named.rig.sender->InterruptAll();
  ASSERT_TRUE(named.rig.Settle());
  EXPECT_EQ(named.rig.outcomes[0].kind, OutcomeKind::kInterrupted);
}

}  // namespace
}  // namespace belfry
