// store_watched_kv.h - an engine in memory that tells what is read from it, and cannot read what a
// test calls damaged. For tests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "storage/memory_kv.h"

namespace belfry {

class WatchedKv final : public Kv {
 public:
  // Empty ones are not called.
  struct Watch {
    std::function<void(Cf cf, std::string_view key)> get;
    std::function<void(Cf cf, std::string_view lower)> scan;
    std::function<void(const Batch& batch)> commit;  // before it
    std::function<void(Cf cf)> row;                  // before each row of a scan
    // True: like a row in a damaged block. A scan stops there, and begins behind it at best.
    std::function<bool(Cf cf, std::string_view key)> damaged;
    // True: a scan cannot read the row either, but Get can, as when the damaged block is another
    // table's.
    std::function<bool(Cf cf, std::string_view key)> hidden;
  };

  explicit WatchedKv(std::shared_ptr<MemoryDisk> disk) : inner_(std::move(disk)) {}

  Watch watch;

  [[nodiscard]] Status Commit(const Batch& batch) override {
    if (watch.commit) watch.commit(batch);
    return inner_.Commit(batch);
  }
  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
    if (watch.damaged && watch.damaged(cf, key)) return Corruption("block checksum mismatch");
    return inner_.Get(cf, key);
  }
  [[nodiscard]] std::unique_ptr<KvView> View() const override {
    return std::make_unique<WatchedView>(watch, inner_.View());
  }
  [[nodiscard]] Status DropFilesBelow(Cf cf, std::string_view lower,
                                      std::string_view upper) override {
    return inner_.DropFilesBelow(cf, lower, upper);
  }
  [[nodiscard]] Status Compact() override { return inner_.Compact(); }
  [[nodiscard]] Status Health() const override { return inner_.Health(); }
  [[nodiscard]] Status Close() override { return inner_.Close(); }

 private:
  class WatchedIterator final : public KvIterator {
   public:
    WatchedIterator(const Watch& watch, Cf cf, std::unique_ptr<KvIterator> rows)
        : watch_(watch), cf_(cf), rows_(std::move(rows)) {
      Tell();
    }
    [[nodiscard]] bool Valid() const override { return !damaged_ && rows_->Valid(); }
    void Next() override {
      rows_->Next();
      Tell();
    }
    [[nodiscard]] std::string_view key() const override { return rows_->key(); }
    [[nodiscard]] std::string_view value() const override { return rows_->value(); }
    [[nodiscard]] Status status() const override {
      return damaged_ ? Corruption("block checksum mismatch") : rows_->status();
    }

   private:
    [[nodiscard]] bool Says(const std::function<bool(Cf, std::string_view)>& row_is) const {
      return row_is && row_is(cf_, rows_->key());
    }
    void Tell() {
      damaged_ = rows_->Valid() && (Says(watch_.damaged) || Says(watch_.hidden));
      if (watch_.row && rows_->Valid()) watch_.row(cf_);
    }

    const Watch& watch_;
    const Cf cf_;
    std::unique_ptr<KvIterator> rows_;
    bool damaged_ = false;
  };

  class WatchedView final : public KvView {
   public:
    WatchedView(const Watch& watch, std::unique_ptr<KvView> view)
        : watch_(watch), view_(std::move(view)) {}
    [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
      if (watch_.get) watch_.get(cf, key);
      if (watch_.damaged && watch_.damaged(cf, key)) return Corruption("block checksum mismatch");
      return view_->Get(cf, key);
    }
    [[nodiscard]] std::unique_ptr<KvIterator> Scan(Cf cf, std::string_view lower,
                                                   std::string_view upper,
                                                   bool keep_cached) const override {
      if (watch_.scan) watch_.scan(cf, lower);
      return std::make_unique<WatchedIterator>(watch_, cf,
                                               view_->Scan(cf, lower, upper, keep_cached));
    }

   private:
    const Watch& watch_;
    std::unique_ptr<KvView> view_;
  };

  MemoryKv inner_;
};

}  // namespace belfry
