// tolerant_scan.h - walks rows in order past those that the engine cannot read.
//
// One thread. RocksDB checks whole blocks: where one is damaged, an iterator stops and says nothing
// of what is behind it. The end of the unreadable stretch is found by trying keys further and
// further on, each about twice as far as the one before, then by halving. Keys are numbers there,
// and a stretch is as wide as from the last key read to the last that is not: another one that
// begins behind it within its width may count as one with it, and what is between them is lost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/kv.h"

namespace belfry {

class TolerantScan {
 public:
  // `log` gets one line for each stretch; it and `view` outlive this.
  TolerantScan(const KvView& view, Cf cf, std::string_view lower, std::string_view upper,
               const LogFn& log);

  [[nodiscard]] bool Valid() const { return !ended_ && rows_->Valid(); }
  void Next();
  [[nodiscard]] std::string_view key() const { return rows_->key(); }      // borrowed until Next
  [[nodiscard]] std::string_view value() const { return rows_->value(); }  // borrowed until Next

  // kCorruption is never said here: those rows were skipped.
  [[nodiscard]] Status status() const { return ended_ ? Status() : rows_->status(); }
  // Stretches skipped so far.
  [[nodiscard]] uint64_t gaps() const { return gaps_; }

 private:
  [[nodiscard]] std::unique_ptr<KvIterator> From(std::string_view lower) const;
  // Moves on while what is at the position cannot be read.
  void SkipUnreadable();
  // The first position after last_ found readable; "": none before upper_.
  [[nodiscard]] std::string EndOfGap() const;
  [[nodiscard]] bool Readable(std::string_view position) const;

  const KvView& view_;
  const Cf cf_;
  const std::string upper_;
  const LogFn& log_;
  std::string last_;  // the key read last, or where the scan began
  std::unique_ptr<KvIterator> rows_;
  bool ended_ = false;  // all that was left cannot be read
  uint64_t gaps_ = 0;
};

}  // namespace belfry
