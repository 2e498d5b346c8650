#include "delivery/ip_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>

namespace belfry {
namespace {

// What the system's parser makes of it.
std::optional<IpAddress> BySystem(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return Ipv4(ntohl(v4.s_addr));
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return std::nullopt;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = v6;
  return FromSockaddr(reinterpret_cast<const sockaddr*>(&address));
}

TEST(IpAddress, ReadsWhatTheSystemReadsAndNothingElse) {
  for (const std::string text : {"127.0.0.1",
                                 "0.0.0.0",
                                 "255.255.255.255",
                                 "256.0.0.1",
                                 "1.2.3",
                                 "1.2.3.4.5",
                                 "1.2.3.4.",
                                 ".1.2.3.4",
                                 "1..3.4",
                                 "01.2.3.4",
                                 "1.2.3.04",
                                 "1.2.3.0",
                                 "1.2.3.00",
                                 "1.2.3.4 ",
                                 " 1.2.3.4",
                                 "1.2.3.4a",
                                 "0x1.2.3.4",
                                 "1234.1.1.1",
                                 "",
                                 ".",
                                 "...",
                                 "a.b.c.d",
                                 "::1",
                                 "::ffff:1.2.3.4",
                                 "::ffff:1.2.3.04",
                                 "fe80::1%lo",
                                 "[::1]",
                                 "1:2:3:4:5:6:7:8:9",
                                 ":",
                                 "::"}) {
    EXPECT_EQ(ParseIp(text), BySystem(text)) << text;
  }
  EXPECT_EQ(ParseIp(std::string_view("1.2.3.4\0", 8)), std::nullopt);
  EXPECT_EQ(ParseIp(std::string_view("1.2.3\0.4", 8)), std::nullopt);
}

TEST(IpAddress, AgreesWithTheSystemOnTextThatIsNearlyAnAddress) {
  std::mt19937_64 random(11);
  constexpr std::string_view kBytes = "0012255.....:1f%x";
  for (int i = 0; i < 200'000; ++i) {
    std::string text = i % 2 == 0 ? "" : "1.20.2";
    for (size_t n = random() % 12; n > 0; --n) text += kBytes[random() % kBytes.size()];
    ASSERT_EQ(ParseIp(text), BySystem(text)) << text;
  }
}

TEST(IpAddress, ABlockHoldsExactlyWhatSharesItsPrefix) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 100'000; ++i) {
    const int bits = static_cast<int>(random() % 33);
    const auto mask = bits == 0 ? 0 : ~uint32_t{0} << (32 - bits);
    const auto base = static_cast<uint32_t>(random()) & mask;
    // Near the base, so that both answers are frequent.
    const uint32_t other = base ^ (uint32_t{1} << (random() % 32));
    const IpBlock block{Ipv4(base), bits};
    ASSERT_TRUE(block.Contains(Ipv4(base)));
    ASSERT_EQ(block.Contains(Ipv4(other)), (other & mask) == base) << FormatIp(Ipv4(other)) << bits;
  }
}

}  // namespace
}  // namespace belfry
