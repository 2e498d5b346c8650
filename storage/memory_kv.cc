#include "storage/memory_kv.h"

#include <iterator>
#include <mutex>

#include "base/planted.h"

namespace belfry {
namespace {

template <typename Table>
Found Lookup(const Table& table, std::string_view key) {
  const auto it = table.find(key);
  return it == table.end() ? Found() : Found(it->second);
}

template <typename Table>
class TableIterator final : public KvIterator {
 public:
  TableIterator(const Table& table, std::string_view lower, std::string_view upper)
      : at_(table.lower_bound(lower)), end_(lower < upper ? table.lower_bound(upper) : at_) {}

  [[nodiscard]] bool Valid() const override { return at_ != end_; }
  void Next() override { ++at_; }
  [[nodiscard]] std::string_view key() const override { return at_->first; }
  [[nodiscard]] std::string_view value() const override { return at_->second; }
  [[nodiscard]] Status status() const override { return {}; }

 private:
  typename Table::const_iterator at_;
  typename Table::const_iterator end_;
};

}  // namespace

// Nothing is written while a view lives: that is the whole snapshot.
class MemoryView final : public KvView {
 public:
  explicit MemoryView(std::shared_ptr<const MemoryDisk> disk)
      : disk_(std::move(disk)), lock_(disk_->mutex_) {}

  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
    return Lookup(TableOf(cf), key);
  }
  [[nodiscard]] std::unique_ptr<KvIterator> Scan(Cf cf, std::string_view lower,
                                                 std::string_view upper, bool) const override {
    return std::make_unique<TableIterator<MemoryDisk::Table>>(TableOf(cf), lower, upper);
  }

 private:
  [[nodiscard]] const MemoryDisk::Table& TableOf(Cf cf) const {
    return disk_->tables_[static_cast<size_t>(cf)];
  }

  std::shared_ptr<const MemoryDisk> disk_;
  std::shared_lock<std::shared_mutex> lock_;
};

void MemoryDisk::Crash() {
  const std::unique_lock lock(mutex_);
  for (auto it = unsynced_.rbegin(); it != unsynced_.rend(); ++it) {
    Table& table = tables_[static_cast<size_t>(it->cf)];
    if (it->value) {
      table[it->key] = *it->value;
    } else {
      table.erase(it->key);
    }
  }
  unsynced_.clear();
  ++generation_;
}

void MemoryDisk::FailCommit(int nth, bool applied) {
  const std::unique_lock lock(mutex_);
  fail_in_ = nth;
  fail_applied_ = applied;
}

void MemoryDisk::Compact(const DropBounds& bounds) {
  const std::unique_lock lock(mutex_);
  for (size_t i = 0; i < kCfCount; ++i) {
    std::erase_if(tables_[i], [&](const auto& row) {
      return bounds.Drops(static_cast<Cf>(i), row.first, row.second);
    });
  }
}

void MemoryDisk::Overwrite(Cf cf, std::string_view key, std::string_view value) {
  const std::unique_lock lock(mutex_);
  tables_[static_cast<size_t>(cf)][std::string(key)] = std::string(value);
}

uint64_t MemoryDisk::commits() const {
  const std::shared_lock lock(mutex_);
  return commits_;
}

size_t MemoryDisk::rows(Cf cf) const {
  const std::shared_lock lock(mutex_);
  return tables_[static_cast<size_t>(cf)].size();
}

uint64_t MemoryDisk::Open() {
  const std::unique_lock lock(mutex_);
  failed_ = false;
  return ++generation_;
}

Status MemoryDisk::Commit(uint64_t opened, const Batch& batch) {
  const std::unique_lock lock(mutex_);
  if (opened != generation_) return IoError("the disk was opened by another");
  if (failed_) return IoError("an earlier commit failed");
  if (fail_in_ > 0 && --fail_in_ == 0) {
    failed_ = true;
    if (fail_applied_) Write(batch, true);
    return IoError("the commit failed, as asked for");
  }
  Write(batch, !Planted(Bug::kAcknowledgeBeforeSync));
  return {};
}

void MemoryDisk::Write(const Batch& batch, bool synced) {
  for (size_t i = 0; i < batch.size(); ++i) {
    const Batch::Write write = batch.at(i);
    Table& table = tables_[static_cast<size_t>(write.cf)];
    if (!synced) unsynced_.push_back({write.cf, std::string(write.key), Lookup(table, write.key)});
    const auto it = table.find(write.key);
    if (!write.is_put) {
      if (it != table.end()) table.erase(it);
    } else if (it != table.end()) {
      it->second.assign(write.value);
    } else {
      table.emplace(write.key, write.value);
    }
  }
  if (synced) unsynced_.clear();
  ++commits_;
}

MemoryKv::MemoryKv(std::shared_ptr<MemoryDisk> disk)
    : disk_(std::move(disk)), opened_(disk_->Open()) {}

Status MemoryKv::Commit(const Batch& batch) { return disk_->Commit(opened_, batch); }

Result<Found> MemoryKv::Get(Cf cf, std::string_view key) const {
  const std::shared_lock lock(disk_->mutex_);
  return Lookup(disk_->tables_[static_cast<size_t>(cf)], key);
}

std::unique_ptr<KvView> MemoryKv::View() const { return std::make_unique<MemoryView>(disk_); }

Status MemoryKv::Compact() {
  disk_->Compact(*drop_rule()->bounds());
  return {};
}

Status MemoryKv::DropFilesBelow(Cf cf, std::string_view lower, std::string_view upper) {
  const std::unique_lock lock(disk_->mutex_);
  auto& table = disk_->tables_[static_cast<size_t>(cf)];
  // Whole files of so many rows: the last rows are in none yet.
  constexpr std::ptrdiff_t kFileRows = 16;
  const auto first = table.lower_bound(lower);
  const auto rows = std::distance(first, table.lower_bound(upper));
  table.erase(first, std::next(first, rows - rows % kFileRows));
  return {};
}

}  // namespace belfry
