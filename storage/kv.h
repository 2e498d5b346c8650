// kv.h - the seam to the engine that keeps ordered bytes. Implementations: rocks_kv, memory_kv.
//
// Threads: Commit, DropFilesBelow, Compact and Close on one thread; the reads and Health on any
// thread. A view is used and released by one thread, which does not Commit while it holds one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/batch.h"
#include "storage/drop_rule.h"

namespace belfry {

// A line for the operator. Called on any thread, the engine's own included. May be empty.
using LogFn = std::function<void(std::string_view)>;

using Found = std::optional<std::string>;  // nullopt: the key is not there

// Walks keys in order. Not valid: the end of the range, or an error: look at status().
class KvIterator {
 public:
  virtual ~KvIterator() = default;
  [[nodiscard]] virtual bool Valid() const = 0;
  virtual void Next() = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;    // borrowed until Next
  [[nodiscard]] virtual std::string_view value() const = 0;  // borrowed until Next
  [[nodiscard]] virtual Status status() const = 0;
};

// Everything as it was at one moment, except that what DropRule names may vanish from it.
class KvView {
 public:
  virtual ~KvView() = default;
  [[nodiscard]] virtual Result<Found> Get(Cf cf, std::string_view key) const = 0;
  // From the first key >= `lower`, to the last key < `upper`. `keep_cached` false: a long scan that
  // must not push others out of the cache. The view outlives the iterator.
  [[nodiscard]] virtual std::unique_ptr<KvIterator> Scan(Cf cf, std::string_view lower,
                                                         std::string_view upper,
                                                         bool keep_cached = true) const = 0;
};

// What was written since the engine was opened, in bytes. The sum of all but `given` over `given`
// is the write amplification.
struct WrittenBytes {
  uint64_t given = 0;      // keys and values of the batches
  uint64_t logged = 0;     // to the log
  uint64_t flushed = 0;    // from memory to tables
  uint64_t compacted = 0;  // from tables to tables
};

// What the engine holds in memory, in bytes.
struct HeldBytes {
  uint64_t write_buffers = 0;  // those on their way to tables included
  uint64_t cache = 0;  // all that is charged to the cache: blocks, write buffers, open tables
  uint64_t cache_bound = 0;
};

class Kv {
 public:
  virtual ~Kv() = default;

  // OK: all of the batch survives power loss. Not OK: nobody knows what of it does until the store
  // is opened again, and every later Commit fails too.
  [[nodiscard]] virtual Status Commit(const Batch& batch) = 0;

  // The newest committed value.
  [[nodiscard]] virtual Result<Found> Get(Cf cf, std::string_view key) const = 0;
  // What Get says of each of `keys`, which rise: `take` is called once for each, in any order, with
  // its index. The bytes are borrowed until `take` returns. Many at once cost an engine less.
  using TakeFn = std::function<void(size_t, const Result<std::optional<std::string_view>>&)>;
  virtual void GetMany(Cf cf, const std::vector<std::string_view>& keys, const TakeFn& take) const;
  // As Get, when it can be told without a disk; nullopt: it cannot.
  [[nodiscard]] virtual std::optional<Result<Found>> GetFromMemory(Cf, std::string_view) const {
    return std::nullopt;
  }
  [[nodiscard]] virtual std::unique_ptr<KvView> View() const = 0;

  // Gives back the space of whole files that hold nothing but keys in [lower, upper), which no view
  // asks for any more. May do nothing.
  [[nodiscard]] virtual Status DropFilesBelow(Cf cf, std::string_view lower,
                                              std::string_view upper) = 0;

  // Removes now whatever DropRule names and what was overwritten. Long; for tools and tests.
  [[nodiscard]] virtual Status Compact() = 0;

  // Not OK once anything failed behind the scenes (a flush, a compaction): stop and open again.
  [[nodiscard]] virtual Status Health() const = 0;

  // Not OK also when Health() was not. After this nothing but the two below may be called.
  [[nodiscard]] virtual Status Close() = 0;

  // Any thread. All 0 where nothing is written anywhere.
  [[nodiscard]] virtual WrittenBytes written() const { return {}; }

  // Any thread. After Close: what it gave back.
  [[nodiscard]] virtual HeldBytes held() const { return {}; }

  // What the engine may remove by itself. The ledger keeps it up to date.
  [[nodiscard]] const std::shared_ptr<DropRule>& drop_rule() const { return drop_rule_; }

 protected:
  Kv() = default;

 private:
  std::shared_ptr<DropRule> drop_rule_ = std::make_shared<DropRule>();
};

inline void Kv::GetMany(Cf cf, const std::vector<std::string_view>& keys,
                        const TakeFn& take) const {
  for (size_t i = 0; i < keys.size(); ++i) {
    const Result<Found> found = Get(cf, keys[i]);
    if (!found.ok()) {
      take(i, found.status());
    } else {
      take(i, *found ? std::optional<std::string_view>(**found) : std::nullopt);
    }
  }
}

}  // namespace belfry
