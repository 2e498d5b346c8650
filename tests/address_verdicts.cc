// address_verdicts 4|6 ALLOW...: for each address on stdin (4 or 16 bytes, network order) a byte on
// stdout, whose bit i says whether the policy that allows ALLOW[i] ("public,10.0.0.0/8") allows it.
// For tests/address_differential_test.py. The addresses are judged as the sender judges them: as
// socket addresses.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "delivery/address_policy.h"

namespace {

using belfry::AddressPolicy;

constexpr size_t kAtOnce = 64 * 1024;
constexpr size_t kAsTextEach = 1024;  // of so many, one is judged by its text as well

AddressPolicy PolicyOf(const std::string& allow) {
  std::vector<std::string> entries;
  std::istringstream in(allow);
  for (std::string entry; std::getline(in, entry, ',');) entries.push_back(entry);
  return AddressPolicy::Parse(entries, {}).value();
}

class Judge {
 public:
  Judge(bool v6, std::vector<AddressPolicy> policies) : v6_(v6), policies_(std::move(policies)) {}

  char Verdict(const char* bytes, bool as_text) {
    sockaddr_storage storage{};
    if (v6_) {
      auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
      in6->sin6_family = AF_INET6;
      std::memcpy(&in6->sin6_addr, bytes, sizeof(in6->sin6_addr));
    } else {
      auto* in = reinterpret_cast<sockaddr_in*>(&storage);
      in->sin_family = AF_INET;
      std::memcpy(&in->sin_addr, bytes, sizeof(in->sin_addr));
    }
    const auto* address = reinterpret_cast<const sockaddr*>(&storage);
    unsigned verdict = 0;
    for (size_t i = 0; i < policies_.size(); ++i) {
      const bool allowed = policies_[i].Allows(address);
      if (allowed) verdict |= 1u << i;
      if (as_text) {
        const auto ip = belfry::FromSockaddr(address);
        CHECK(ip && policies_[i].AllowsText(belfry::FormatIp(*ip)) == allowed);
      }
    }
    return static_cast<char>(verdict);
  }

 private:
  bool v6_;
  std::vector<AddressPolicy> policies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 10) {
    std::fprintf(stderr, "usage: address_verdicts 4|6 ALLOW...\n");
    return 2;
  }
  const bool v6 = std::strcmp(argv[1], "6") == 0;
  const size_t size = v6 ? 16 : 4;
  std::vector<AddressPolicy> policies;
  for (int i = 2; i < argc; ++i) policies.push_back(PolicyOf(argv[i]));
  Judge judge(v6, std::move(policies));
  std::vector<char> addresses(kAtOnce * size);
  std::vector<char> verdicts(kAtOnce);
  for (;;) {
    const size_t count = std::fread(addresses.data(), size, kAtOnce, stdin);
    if (count == 0) return 0;
    for (size_t i = 0; i < count; ++i) {
      verdicts[i] = judge.Verdict(&addresses[i * size], i % kAsTextEach == 0);
    }
    CHECK(std::fwrite(verdicts.data(), 1, count, stdout) == count);
  }
}
