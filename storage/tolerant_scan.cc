#include "storage/tolerant_scan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "storage/keys.h"

namespace belfry {
namespace {

constexpr size_t kKeyBytesMin = 12;  // of `ids`

// A key as a number, its first byte the greatest: keys of one family differ in their first bytes.
class Position {
 public:
  static constexpr size_t kBytes = 32;
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

// Invariant of the halving: `base` is unreadable, `base` + 2^bit is readable.
std::string TolerantScan::EndOfGap() const {
  // Keys with names in them are of any length, and the beginning of a scan may be shorter than a
  // key.
  const bool named = cf_ == Cf::kOnce || cf_ == Cf::kStopwatch || cf_ == Cf::kStream;
  const bool exact = !named && last_.size() >= kKeyBytesMin;
  const size_t size = exact ? std::min(last_.size(), Position::kBytes) : Position::kBytes;
  const size_t lowest = Position::kBits - 8 * size;
  Position base(last_);
  size_t bit = lowest;
  for (;; ++bit) {
    const std::optional<Position> next =
        bit < Position::kBits ? base.Plus(bit) : std::optional<Position>();
    if (!next || next->key(size) >= upper_) return {};
    if (Readable(next->key(size))) break;
  }
  while (bit > lowest) {
    const Position middle = *base.Plus(--bit);
    if (!Readable(middle.key(size))) base = middle;
  }
  return std::string(base.Plus(lowest)->key(size));
}

}  // namespace belfry
