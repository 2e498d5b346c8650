#include "http/failure_limit.h"

#include <algorithm>

namespace belfry {
namespace {

int64_t SecondOf(MonoMs now) { return now.ms / kSecondMs; }

}  // namespace

FailureLimit::Address FailureLimit::AddressOf(const Peer& peer) {
  Address address = peer.address;
  const bool v4 = std::all_of(address.begin(), address.begin() + 10, [](auto b) { return b == 0; });
  if (!v4) std::fill(address.begin() + 8, address.end(), uint8_t{0});
  return address;
}

// From `second` on.
uint32_t FailureLimit::Since(const Counts& counts, int64_t second) {
  uint32_t sum = 0;
  const int64_t first = std::max(second, counts.newest - kBuckets + 1);
  for (int64_t s = std::max<int64_t>(first, 0); s <= counts.newest; ++s) {
    sum += counts.of[s % kBuckets];
  }
  return sum;
}

int64_t FailureLimit::WaitSeconds(const Peer& peer, MonoMs now) const {
  if (counts_.empty() || !peer.over_tcp) return 0;
  const auto found = counts_.find(AddressOf(peer));
  if (found == counts_.end() && !full()) return 0;
  const Counts& counts = found == counts_.end() ? others_ : found->second;
  int64_t wait = 0;
  const int64_t oldest = SecondOf(now) - kWrongTokensSeconds;
  while (Since(counts, oldest + wait) >= kWrongTokensMax) ++wait;
  return wait;
}

void FailureLimit::Failed(const Peer& peer, MonoMs now) {
  if (!peer.over_tcp) return;
  const int64_t second = SecondOf(now);
  const Address address = AddressOf(peer);
  if (full() && !counts_.contains(address)) ForgetOld(second);
  Count(full() && !counts_.contains(address) ? others_ : counts_[address], second);
}

void FailureLimit::Count(Counts& counts, int64_t second) {
  const int64_t steps = std::min(second - counts.newest, kBuckets);
  for (int64_t i = 0; i < steps; ++i) counts.of[(second - i) % kBuckets] = 0;
  counts.newest = std::max(counts.newest, second);
  ++counts.of[second % kBuckets];
}

// At most once a second: it looks at all.
void FailureLimit::ForgetOld(int64_t second) {
  if (swept_ == second) return;
  swept_ = second;
  absl::erase_if(counts_, [&](const auto& entry) {
    return entry.second.newest < second - kWrongTokensSeconds;
  });
}

}  // namespace belfry
