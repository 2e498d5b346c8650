// failure_limit.h - how often each address came with a wrong token lately.
//
// Loop thread only. An address is an IPv4 address, or the network (/64) of an IPv6 one, whose host
// part its owner may choose. Unix sockets have none and are not limited. Bounded:
// kWrongTokenAddressesMax are counted; while there are more, all others count as one. So who has
// very many addresses is limited too, and whom that hits besides are only others that are wrong.
#pragma once

#include <array>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "base/limits.h"
#include "base/time.h"
#include "http/message.h"

namespace belfry {

class FailureLimit {
 public:
  // Seconds until this address may be wrong once more; 0: it may now.
  [[nodiscard]] int64_t WaitSeconds(const Peer& peer, MonoMs now) const;
  void Failed(const Peer& peer, MonoMs now);
  [[nodiscard]] size_t addresses() const { return counts_.size(); }

 private:
  // One more than the seconds that count, as the first and the last of them are not whole.
  static constexpr int64_t kBuckets = kWrongTokensSeconds + 1;
  struct Counts {
    int64_t newest = 0;  // second
    std::array<uint32_t, kBuckets> of{};
  };
  using Address = std::array<uint8_t, 16>;

  [[nodiscard]] static Address AddressOf(const Peer& peer);
  [[nodiscard]] bool full() const { return counts_.size() >= kWrongTokenAddressesMax; }
  [[nodiscard]] static uint32_t Since(const Counts& counts, int64_t second);
  static void Count(Counts& counts, int64_t second);
  void ForgetOld(int64_t second);

  absl::flat_hash_map<Address, Counts> counts_;
  Counts others_;
  int64_t swept_ = 0;  // second
};

}  // namespace belfry
