#include "storage/tolerant_scan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/limits.h"
#include "storage/keys.h"

namespace belfry {
namespace {

constexpr size_t kKeyBytesMin = 12;       // of `ids`
constexpr size_t kPlainKeyBytesMax = 32;  // of families without names in their keys, and more

// A key as a number, its first byte the greatest. Names may differ in their last bytes alone.
class Position {
 public:
  static constexpr size_t kBytes = kLeaseKeyBytesMax;  // no key is longer
  static constexpr size_t kBits = 8 * kBytes;

  explicit Position(std::string_view key) {
    std::copy_n(key.begin(), std::min(key.size(), kBytes), bytes_.begin());
  }

  [[nodiscard]] std::string_view key(size_t size) const {
    return {reinterpret_cast<const char*>(bytes_.data()), std::min(size, kBytes)};
  }

  // nullopt: past the greatest.
  [[nodiscard]] std::optional<Position> Plus(size_t bit) const {
    Position sum = *this;
    unsigned carry = 1U << (bit % 8);
    for (size_t i = kBytes - bit / 8; i > 0 && carry != 0; --i) {
      carry += sum.bytes_[i - 1];
      sum.bytes_[i - 1] = static_cast<uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) return std::nullopt;
    return sum;
  }

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace

TolerantScan::TolerantScan(const KvView& view, Cf cf, std::string_view lower,
                           std::string_view upper, const LogFn& log)
    : view_(view), cf_(cf), upper_(upper), log_(log), last_(lower), rows_(From(lower)) {
  SkipUnreadable();
}

std::unique_ptr<KvIterator> TolerantScan::From(std::string_view lower) const {
  return view_.Scan(cf_, lower, upper_, false);
}

void TolerantScan::Next() {
  last_ = rows_->key();
  rows_->Next();
  SkipUnreadable();
}

void TolerantScan::SkipUnreadable() {
  while (!ended_ && !rows_->Valid() && rows_->status().code() == StatusCode::kCorruption) {
    ++gaps_;
    if (log_) {
      log_("rows of " + std::string(CfName(cf_)) +
           " cannot be read and are skipped: " + rows_->status().message());
    }
    last_ = EndOfGap();
    ended_ = last_.empty();
    if (!ended_) rows_ = From(last_);
  }
}

bool TolerantScan::Readable(std::string_view position) const {
  return From(position)->status().code() != StatusCode::kCorruption;
}

// The first step that leads out of the gap is looked for bit by bit: a step of a whole byte could
// end in the next gap, up to 256 times as far away, and all between would be lost. But names end in
// zeros here, where no gap ends: those are passed byte by byte. Then the step is halved, and the
// end may be just behind `base` long before all bits are tried. So a gap costs about sixteen reads
// for each byte of its keys, and one for each byte behind them.
//
// Invariant of the halving: `base` is unreadable, `base` + 2^bit is readable or past the end.
std::string TolerantScan::EndOfGap() const {
  // Keys with names in them are of any length, and the beginning of a scan may be shorter than a
  // key.
  const bool named = cf_ == Cf::kOnce || cf_ == Cf::kStopwatch || cf_ == Cf::kStream;
  const bool exact = !named && last_.size() >= kKeyBytesMin;
  const size_t longest = named ? Position::kBytes : kPlainKeyBytesMax;
  const size_t size = exact ? std::min(last_.size(), longest) : longest;
  const size_t lowest = Position::kBits - 8 * size;
  Position base(last_);
  // Of the byte behind the last key, too: a longer name begins there.
  const size_t tested = std::min(size, std::max(last_.size() + 1, kKeyBytesMin));
  const auto ends = [&](size_t bit) {
    const std::optional<Position> next = base.Plus(bit);
    return !next || next->key(size) >= upper_ || Readable(next->key(size));
  };
  size_t bit = lowest;
  while (bit < Position::kBits - 8 * tested && !ends(bit)) bit += 8;
  while (bit < Position::kBits && !ends(bit)) ++bit;
  while (bit > lowest) {
    if (bit % 8 == 0 && ends(lowest)) break;
    --bit;
    if (!ends(bit)) base = *base.Plus(bit);
  }
  const std::optional<Position> end = base.Plus(lowest);
  return end && end->key(size) < upper_ ? std::string(end->key(size)) : std::string();
}

}  // namespace belfry
