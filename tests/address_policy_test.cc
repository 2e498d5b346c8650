#include "delivery/address_policy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace belfry {
namespace {

using Texts = std::vector<std::string>;

AddressPolicy PolicyOf(const Texts& allow, const Texts& deny = {}) {
  return AddressPolicy::Parse(allow, deny).value();
}

bool Allows(const AddressPolicy& policy, std::string_view address) {
  return policy.Allows(ParseIp(address).value());
}

const Texts kPublic{"1.1.1.1",
                    "8.8.8.8",
                    "9.255.255.255",
                    "11.0.0.0",
                    "100.63.255.255",
                    "100.128.0.0",
                    "126.255.255.255",
                    "128.0.0.0",
                    "169.253.255.255",
                    "169.255.0.0",
                    "172.15.255.255",
                    "172.32.0.0",
                    "192.0.1.0",
                    "192.167.255.255",
                    "192.169.0.0",
                    "198.17.255.255",
                    "198.20.0.0",
                    "223.255.255.255",
                    "2000::",
                    "2001:200::",
                    "2001:4860:4860::8888",
                    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                    "2003::1",
                    "2606:4700::1111",
                    "3ffe::1",
                    "3fff:1000::",
                    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
const Texts kPrivate{"10.0.0.0",       "10.255.255.255", "172.16.0.0",
                     "172.31.255.255", "192.168.0.0",    "192.168.255.255",
                     "fc00::",         "fd12:3456::1",   "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
const Texts kLoopback{"127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"};
// No word opens these.
const Texts kSpecial{"0.0.0.0",
                     "0.255.255.255",
                     "100.64.0.0",
                     "100.100.100.200",
                     "100.127.255.255",
                     "169.254.0.0",
                     "169.254.169.254",
                     "169.254.170.2",
                     "192.0.0.0",
                     "192.0.0.192",
                     "192.0.2.1",
                     "192.31.196.1",
                     "192.52.193.1",
                     "192.88.99.1",
                     "192.175.48.1",
                     "198.18.0.0",
                     "198.19.255.255",
                     "198.51.100.1",
                     "203.0.113.1",
                     "224.0.0.1",
                     "239.255.255.255",
                     "240.0.0.0",
                     "255.255.255.255",
                     "168.63.129.16",
                     "fd00:ec2::254",
                     "fd20:ce::254",
                     "::",
                     "::2",
                     "::127.0.0.1",
                     "::8.8.8.8",
                     "::ffff:0:8.8.8.8",
                     "64:ff9b::8.8.8.8",
                     "64:ff9b::127.0.0.1",
                     "64:ff9b:1::1",
                     "100::1",
                     "100:0:0:1::1",
                     "2001::1",
                     "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                     "2001:2::1",
                     "2001:10::1",
                     "2001:20::1",
                     "2001:1ff:ffff::",
                     "2001:db8::1",
                     "2002:808:808::1",
                     "2002:7f00:1::1",
                     "2620:4f:8000::1",
                     "3fff::1",
                     "3fff:fff:ffff::",
                     "4000::",
                     "5f00::1",
                     "fe80::1",
                     "febf::1",
                     "fec0::1",
                     "ff02::1",
                     "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

TEST(AddressPolicy, EachWordOpensItsOwnRangesOnly) {
  const std::vector<std::pair<std::string, const Texts*>> words{
      {"public", &kPublic}, {"private", &kPrivate}, {"loopback", &kLoopback}};
  for (const auto& [word, own] : words) {
    const AddressPolicy policy = PolicyOf({word});
    for (const auto& [other, addresses] : words) {
      for (const std::string& a : *addresses) EXPECT_EQ(Allows(policy, a), word == other) << a;
    }
    for (const std::string& a : kSpecial) EXPECT_FALSE(Allows(policy, a)) << word << " " << a;
  }
}

TEST(AddressPolicy, NoWordOpensSpecialRanges) {
  const AddressPolicy all = PolicyOf({"public", "private", "loopback"});
  for (const std::string& a : kSpecial) EXPECT_FALSE(Allows(all, a)) << a;
}

TEST(AddressPolicy, NothingIsAllowedByDefault) {
  for (const Texts* texts : {&kPublic, &kPrivate, &kLoopback, &kSpecial}) {
    for (const std::string& a : *texts) EXPECT_FALSE(Allows(AddressPolicy(), a)) << a;
  }
}

TEST(AddressPolicy, ABlockOpensWhatNoWordDoes) {
  const AddressPolicy policy =
      PolicyOf({"169.254.169.254", "100.64.0.0/10", "fe80::/10", "fd00:ec2::254", "::1"});
  for (const char* a :
       {"169.254.169.254", "100.64.0.1", "100.100.100.200", "fe80::1", "fd00:ec2::254", "::1"}) {
    EXPECT_TRUE(Allows(policy, a)) << a;
  }
  for (const char* a :
       {"169.254.169.253", "100.128.0.0", "fec0::1", "fd00:ec2::253", "127.0.0.1"}) {
    EXPECT_FALSE(Allows(policy, a)) << a;
  }
}

TEST(AddressPolicy, DenyWins) {
  const AddressPolicy policy =
      PolicyOf({"public", "10.1.2.0/24", "fd00::/8"}, {"8.8.8.0/24", "private", "2600::/12"});
  EXPECT_FALSE(Allows(policy, "8.8.8.8"));
  EXPECT_TRUE(Allows(policy, "8.8.9.8"));
  EXPECT_FALSE(Allows(policy, "10.1.2.3"));
  EXPECT_FALSE(Allows(policy, "2606::1"));
  EXPECT_FALSE(Allows(policy, "fd00:ec2::254"));  // denied words have no exceptions
  EXPECT_FALSE(Allows(PolicyOf({"0.0.0.0/0"}, {"public"}), "168.63.129.16"));
}

TEST(AddressPolicy, AMappedAddressIsItsIpv4Address) {
  const AddressPolicy policy = PolicyOf({"public"}, {"8.8.8.8"});
  EXPECT_TRUE(Allows(policy, "::ffff:1.1.1.1"));
  EXPECT_FALSE(Allows(policy, "::ffff:8.8.8.8"));
  EXPECT_FALSE(Allows(policy, "::ffff:127.0.0.1"));
  EXPECT_FALSE(Allows(policy, "::ffff:a9fe:a9fe"));
  EXPECT_TRUE(Allows(PolicyOf({"::ffff:10.0.0.0/104"}), "10.9.9.9"));
  EXPECT_FALSE(Allows(PolicyOf({"::/0"}), "127.0.0.1"));
}

TEST(AddressPolicy, AnAddressCarriedInsideIsJudgedToo) {
  const AddressPolicy policy =
      PolicyOf({"public", "64:ff9b::/96", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"},
               {"8.8.4.4"});
  for (const char* a : {"64:ff9b::8.8.8.8", "2002:808:808::1", "2001:0:1:1:0:0:f7f7:f7f7",
                        "::8.8.8.8", "::ffff:0:8.8.8.8"}) {
    EXPECT_TRUE(Allows(policy, a)) << a;
  }
  for (const char* a :
       {"64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::8.8.4.4", "2002:7f00:1::1",
        "2002:a00:1::", "2001:0:1:1:0:0:80ff:fffe", "::127.0.0.1", "::ffff:0:10.0.0.1", "::"}) {
    EXPECT_FALSE(Allows(policy, a)) << a;
  }
}

TEST(AddressPolicy, TheSocketsOwnAddressIsJudged) {
  const AddressPolicy policy = PolicyOf({"loopback", "fe80::/10"});
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_TRUE(policy.Allows(reinterpret_cast<sockaddr*>(&in)));
  in.sin_addr.s_addr = htonl(0x0a000001);
  EXPECT_FALSE(policy.Allows(reinterpret_cast<sockaddr*>(&in)));
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = in6addr_loopback;
  EXPECT_TRUE(policy.Allows(reinterpret_cast<sockaddr*>(&in6)));
  in6.sin6_scope_id = 2;
  EXPECT_FALSE(policy.Allows(reinterpret_cast<sockaddr*>(&in6)));
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(policy.Allows(&other));
}

TEST(AddressPolicy, OnlyPlainAddressesAreReadFromText) {
  const AddressPolicy policy = PolicyOf({"0.0.0.0/0", "::/0"});
  for (const char* text : {"", "127.1", "0177.0.0.1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1/32",
                           "[::1]", "fe80::1%eth0", "fe80::1%1", "localhost", "1.2.3.4.5"}) {
    EXPECT_FALSE(policy.AllowsText(text)) << text;
  }
  EXPECT_TRUE(policy.AllowsText("127.0.0.1"));
  EXPECT_TRUE(policy.AllowsText("2600::1"));
}

TEST(AddressPolicy, ABadEntryIsNamed) {
  for (const char* entry : {"", "internal", "Public", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                            "10.0.0.0/8x", "10.0.0.1/8", "10.0.0/8", "fe80::1%eth0", "::/129",
                            "fd00::1/64", "::ffff:10.0.0.0/8", "10.0.0.0/8/8", "0x7f.0.0.1"}) {
    const auto allow = AddressPolicy::Parse({entry}, {});
    ASSERT_FALSE(allow.ok()) << entry;
    EXPECT_NE(allow.status().message().find(entry), std::string::npos);
    EXPECT_EQ(allow.status().message().substr(0, 7), "allow: ");
    const auto deny = AddressPolicy::Parse({}, {entry});
    ASSERT_FALSE(deny.ok()) << entry;
    EXPECT_EQ(deny.status().message().substr(0, 6), "deny: ");
  }
}

}  // namespace
}  // namespace belfry
