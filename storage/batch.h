// batch.h - writes that become durable together: all of them or none.
//
// One thread. A later write on a key replaces an earlier one. The index that Find needs is built at
// the first Find, for the families asked for: what nobody reads pays nothing for it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace belfry {

// The column families of the store; see keys.h.
enum class Cf : uint8_t { kMeta, kDue, kIds, kDone, kDead, kOnce, kParked, kStopwatch, kStream };
constexpr size_t kCfCount = 9;

class Batch {
 public:
  void Put(Cf cf, std::string_view key, std::string_view value);
  void Delete(Cf cf, std::string_view key);
  void Append(const Batch& other);
  void Clear();

  [[nodiscard]] bool empty() const { return writes_.empty(); }
  [[nodiscard]] size_t size() const { return writes_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_.size(); }

  enum class Seen { kNothing, kPut, kDeleted };
  // What the newest write of this batch on the key is. `value` is borrowed until the next change.
  [[nodiscard]] Seen Find(Cf cf, std::string_view key, std::string_view* value);

  struct Write {
    Cf cf;
    bool is_put;
    std::string_view key;
    std::string_view value;  // empty for a delete
  };
  // In the order they were added; borrowed until the next change.
  [[nodiscard]] Write at(size_t i) const;

 private:
  struct Stored {
    size_t offset;  // of the key in bytes_; the value follows it
    uint32_t key_bytes;
    uint32_t value_bytes;
    Cf cf;
    bool is_put;
    int32_t older;  // the write before this one with the same hash, or -1
  };

  void Add(Cf cf, std::string_view key, std::string_view value, bool is_put);
  void Index(Cf cf);

  std::string bytes_;
  std::vector<Stored> writes_;
  absl::flat_hash_map<uint64_t, int32_t> newest_;  // hash of (cf, key) -> index into writes_
  std::array<size_t, kCfCount> indexed_{};         // per family, how many of writes_ were looked at
};

}  // namespace belfry
