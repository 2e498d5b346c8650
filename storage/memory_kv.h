// memory_kv.h - the engine in memory, for tests and the simulator. It loses power like a real one.
//
// A MemoryDisk outlives the daemon: open a MemoryKv over it, Crash() it, open another. What was
// committed with a sync is there again, what was not is lost. Same calls, same bytes, same order.
//
// Threads: as kv.h says for MemoryKv; the controls of a MemoryDisk on any thread, while no view is
// held by the calling one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "storage/kv.h"

namespace belfry {

class MemoryDisk {
 public:
  // Loses what was not synced; every MemoryKv opened before is dead.
  void Crash();

  // The nth Commit from now (1: the next) fails, and so does every one after it until the disk is
  // opened again. `applied`: whether the batch of the nth is found then.
  void FailCommit(int nth, bool applied);

  // What a compaction would do now: removes the rows that `bounds` drops.
  void Compact(const DropBounds& bounds);

  // Replaces stored bytes, as a bad disk would.
  void Overwrite(Cf cf, std::string_view key, std::string_view value);

  [[nodiscard]] uint64_t commits() const;  // batches that became durable or may have
  [[nodiscard]] size_t rows(Cf cf) const;

 private:
  friend class MemoryKv;
  friend class MemoryView;

  using Table = std::map<std::string, std::string, std::less<>>;
  struct Undo {
    Cf cf;
    std::string key;
    Found value;
  };

  uint64_t Open();
  Status Commit(uint64_t opened, const Batch& batch);
  void Write(const Batch& batch, bool synced);

  mutable std::shared_mutex mutex_;
  std::array<Table, kCfCount> tables_;
  std::vector<Undo> unsynced_;  // how to lose what no sync has followed yet, oldest first
  uint64_t generation_ = 0;     // of the last Open or Crash
  uint64_t commits_ = 0;
  int fail_in_ = 0;  // 0: never
  bool fail_applied_ = false;
  bool failed_ = false;
};

class MemoryKv final : public Kv {
 public:
  explicit MemoryKv(std::shared_ptr<MemoryDisk> disk);

  [[nodiscard]] Status Commit(const Batch& batch) override;
  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override;
  [[nodiscard]] std::optional<Result<Found>> GetFromMemory(Cf cf,
                                                           std::string_view key) const override {
    return Get(cf, key);
  }
  [[nodiscard]] std::unique_ptr<KvView> View() const override;
  [[nodiscard]] Status DropFilesBelow(Cf cf, std::string_view lower,
                                      std::string_view upper) override;
  [[nodiscard]] Status Compact() override;
  [[nodiscard]] Status Health() const override { return {}; }
  [[nodiscard]] Status Close() override { return {}; }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  uint64_t opened_;
};

}  // namespace belfry
