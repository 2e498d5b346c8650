// Networks that lack something. The tests run in a network namespace of their own (it takes root,
// or user namespaces).
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/limits.h"
#include "delivery/resolver.h"
#include "tests/support/receiver_dns.h"
#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"

namespace belfry {
namespace {

bool Write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

bool RaiseLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  const bool raised = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return raised;
}

// For good: this process and what it starts see nothing else from now on.
bool EnterNetwork() {
  const uid_t user = getuid();
  if (unshare(CLONE_NEWNET) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    if (!Write("/proc/self/uid_map", "0 " + std::to_string(user) + " 1")) return false;
  }
  return RaiseLoopback();
}

class CurlNetwork : public testing::Test {
 protected:
  void SetUp() override {
    static const bool entered = EnterNetwork();
    ASSERT_TRUE(entered) << "no network namespace (it takes root, or user namespaces)";
    ASSERT_TRUE(SetIpv6(true) && SetPorts("32768 60999"));
  }
  static bool SetIpv6(bool wanted) {
    const std::string disabled = wanted ? "0" : "1";
    return Write("/proc/sys/net/ipv6/conf/all/disable_ipv6", disabled) &&
           Write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", disabled);
  }
  // Those that connections may take.
  static bool SetPorts(const std::string& range) {
    return Write("/proc/sys/net/ipv4/ip_local_port_range", range);
  }
};

TEST_F(CurlNetwork, WithoutIpv6WhatTheIpv4AddressSaidCounts) {
  ASSERT_TRUE(SetIpv6(false));
  SenderRig rig;
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = rig.Send("http://localhost:9/");
    EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
    EXPECT_EQ(outcome.error, "refused");
  }
}

TEST_F(CurlNetwork, WithoutIpv6AnIpv6AddressIsUnreachable) {
  ASSERT_TRUE(SetIpv6(false));
  SenderRig rig;
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = rig.Send("http://[::1]:9/");
    EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
    EXPECT_EQ(outcome.error, "unreachable");
  }
}

TEST_F(CurlNetwork, Ipv6ComesFirstUnlessNoRouteLeadsToIt) {
  for (const bool with_ipv6 : {true, false}) {
    ASSERT_TRUE(SetIpv6(with_ipv6));
    TestLoop loop;
    const HandClock clock;
    DnsServer dns(loop);
    dns.Answer("both.test", {"127.0.0.1", "::1"});
    std::vector<IpAddress> found;
    const auto resolver = std::move(
        Resolver::Open(loop.get(), clock, dns.address(),
                       [&](Resolver::Ticket, const LookupAnswer& a) { found = a.addresses; })
            .value());
    Resolver::Ticket ticket = 0;
    ASSERT_FALSE(resolver->Lookup("both.test", kResolveTimeoutMs, &ticket).has_value());
    ASSERT_TRUE(loop.RunUntil([&] { return !found.empty(); }));
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].v6, with_ipv6);
  }
}

TEST_F(CurlNetwork, WithoutFreePortsItIsALocalFaultOfThisTargetAlone) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Receiver other(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
  ASSERT_TRUE(SetPorts("40000 40000"));
  rig.Start(receiver.url("/"));
  ASSERT_TRUE(rig.loop.RunUntil([&] { return receiver.requests().size() == 1; }));
  // The second one is listened to by its IPv4 address only.
  const std::string by_name = "http://localhost:" + std::to_string(receiver.port()) + "/";
  for (const std::string& url : {receiver.url("/"), by_name}) {
    rig.Start(url);
    ASSERT_TRUE(rig.loop.RunUntil([&] { return !rig.outcomes.empty(); }));
    EXPECT_EQ(rig.outcomes[0].kind, OutcomeKind::kLocalFault) << url;
    EXPECT_EQ(rig.outcomes[0].fault_scope, FaultScope::kTarget) << url;
    rig.outcomes.clear();
  }
  rig.Start(other.url("/"));
  ASSERT_TRUE(rig.loop.RunUntil([&] { return !rig.outcomes.empty(); }));
  EXPECT_EQ(rig.outcomes[0].status, 200);
}

}  // namespace
}  // namespace belfry
