// unfinished.h - ops that were queued and have not completed: how many per id, who waits for each,
// and the smallest key among them.
//
// Loop thread only. Completions come in the order of queueing, so one FIFO holds it all. Ids are
// counted per tenant: what a stranger asks for under an id cannot change its timer, and must not
// hold it back.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"

namespace belfry {

class Unfinished {
 public:
  struct Entry {
    ReplyToken token = 0;
    TenantId tenant = 0;           // who asks for the ids
    TimerId id = 0;                // 0: the op is about no single timer
    WallMs least_at = kKeyMax.at;  // the smallest key time that the op names or writes
    bool is_set = false;
    size_t set_bytes = 0;
    TimerId second_id = 0;        // of the timer that the op brings along; 0: none
    bool second_is_known = true;  // to be of `tenant`; else only the store knows whose it will be
  };

  void Queued(const Entry& entry);
  // The oldest op completed.
  Entry Completed();
  // Every client that waits for an op, oldest first; forgets them all.
  std::vector<ReplyToken> TakeTokens();

  [[nodiscard]] size_t size() const { return fifo_.size(); }
  [[nodiscard]] size_t CountFor(TenantId tenant, TimerId id) const;
  [[nodiscard]] size_t sets() const { return sets_; }
  [[nodiscard]] size_t set_bytes() const { return set_bytes_; }
  // kKeyMax.at when no unfinished op names a key.
  [[nodiscard]] WallMs LeastAt() const;

 private:
  using Owned = std::pair<TenantId, TimerId>;

  static constexpr TenantId kAnyone = 0;
  [[nodiscard]] static Owned Of(TenantId tenant, TimerId id);
  [[nodiscard]] static Owned SecondOf(const Entry& entry);
  [[nodiscard]] size_t Count(const Owned& owned) const;
  void Uncount(const Owned& owned);

  struct Least {
    uint64_t number;  // of the op in queueing order
    WallMs at;
  };

  std::deque<Entry> fifo_;
  std::deque<Least> least_;  // rising in both: the front is the minimum over fifo_
  absl::flat_hash_map<Owned, uint32_t> count_;
  uint64_t queued_ = 0;
  uint64_t completed_ = 0;
  size_t of_anyone_ = 0;  // second ids whose tenant is not known
  size_t sets_ = 0;
  size_t set_bytes_ = 0;
};

}  // namespace belfry
