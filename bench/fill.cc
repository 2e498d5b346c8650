#include "bench/fill.h"

#include <sys/statvfs.h>

#include <cstdio>
#include <numeric>

#include "base/clock.h"
#include "bench/progress.h"
#include "storage/bulk_load.h"

namespace belfry {
namespace {

constexpr uint64_t kBytesPerTimer = 160;  // more than is ever needed, tables and their making
constexpr uint64_t kTimersBetweenLooks = 8192;

uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Which timer is due as the k-th, and back: multiplication by a number without a common factor.
class Shuffle {
 public:
  explicit Shuffle(uint64_t count) : count_(count), factor_(count * 6 / 10 + 1) {
    while (std::gcd(factor_, count_) != 1) ++factor_;
    // Euclid's algorithm gives the inverse.
    __int128 a = factor_, b = count_, x = 1, y = 0;
    while (b != 0) {
      const __int128 quotient = a / b;
      a = std::exchange(b, a - quotient * b);
      x = std::exchange(y, x - quotient * y);
    }
    const __int128 modulus = count_;
    inverse_ = static_cast<uint64_t>((x % modulus + modulus) % modulus);
  }

  [[nodiscard]] TimerId IdAt(uint64_t rank) const { return Times(rank, factor_) + 1; }
  [[nodiscard]] uint64_t RankOf(TimerId id) const { return Times(id - 1, inverse_); }

 private:
  [[nodiscard]] uint64_t Times(uint64_t a, uint64_t b) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % count_);
  }
  uint64_t count_;
  uint64_t factor_;
  uint64_t inverse_ = 0;
};

class Maker {
 public:
  Maker(const FillPlan& plan, WallMs now)
      : plan_(plan), shuffle_(plan.count), first_due_(now + plan.from_ms) {
    timer_.created_at = now;
    timer_.url = plan.target;
    timer_.headers = {
        {"Content-Type", "application/json"}, {"X-Source", "billing"}, {"X-Customer", ""}};
  }

  // The timer that is due as the `rank`-th. Borrowed until the next call.
  const Timer& DueAs(uint64_t rank) {
    SetTimes(shuffle_.IdAt(rank), rank);
    const uint64_t random = Mix(timer_.id);
    char text[80];
    if (plan_.target.empty()) {
      std::snprintf(text, sizeof text, "https://hooks.clients-%03u.example/v1/events/%016llx",
                    static_cast<unsigned>(random % 1000),
                    static_cast<unsigned long long>(Mix(random)));
      timer_.url = text;
    }
    std::snprintf(text, sizeof text, "c-%08x", static_cast<unsigned>(random >> 32));
    timer_.headers[2].second = text;
    return timer_;
  }
  // What an entry needs of the timer with this id.
  const Timer& WithId(TimerId id) {
    SetTimes(id, shuffle_.RankOf(id));
    return timer_;
  }

 private:
  void SetTimes(TimerId id, uint64_t rank) {
    const auto share = static_cast<unsigned __int128>(rank) * plan_.spread_ms / plan_.count;
    timer_.id = id;
    timer_.due = timer_.next_attempt = first_due_ + static_cast<int64_t>(share);
  }

  const FillPlan& plan_;
  const Shuffle shuffle_;
  const WallMs first_due_;
  Timer timer_;
};

Status CheckRoom(const FillPlan& plan) {
  struct statvfs fs;
  std::string path = plan.data;
  while (statvfs(path.c_str(), &fs) != 0) {
    const size_t slash = path.rfind('/');
    if (path == ".") return IoError("cannot look at the space of " + plan.data);
    path = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  }
  const uint64_t free_bytes = uint64_t{fs.f_bavail} * fs.f_frsize;
  const uint64_t needed = plan.count * kBytesPerTimer + (uint64_t{1} << 30);
  if (free_bytes >= needed) return {};
  return Refused("the disk has " + std::to_string(free_bytes >> 20) + " MiB left and " +
                 std::to_string(needed >> 20) + " MiB may be needed");
}

class Pace {
 public:
  explicit Pace(uint64_t total) : total_(total) {}

  void Step(const char* doing) {
    if (++done_ % kTimersBetweenLooks != 0) return;
    const double rate = static_cast<double>(done_) / seconds();
    const double left = static_cast<double>(total_ - done_) / rate;
    progress_.Show(doing, rate, static_cast<int64_t>(left * 1e3), 0);
  }
  [[nodiscard]] double seconds() const {
    return static_cast<double>(clock_.Mono() - start_ + 1) / 1e3;
  }

 private:
  const SystemClock clock_;
  const MonoMs start_ = clock_.Mono();
  const uint64_t total_;
  uint64_t done_ = 0;
  Progress progress_;
};

}  // namespace

Result<FillResult> Fill(const FillPlan& plan) {
  if (Status s = CheckRoom(plan); !s.ok()) return s;
  DataDirOptions options;
  options.path = plan.data;
  options.rocks = plan.rocks;
  auto load = BulkLoad::Begin(options);
  if (!load.ok()) return load.status();
  Maker maker(plan, SystemClock().Wall());
  Pace pace(2 * plan.count);
  for (uint64_t rank = 0; rank < plan.count; ++rank) {
    if (Status s = (*load)->AddRecord(maker.DueAs(rank)); !s.ok()) return s;
    pace.Step("records");
  }
  for (TimerId id = 1; id <= plan.count; ++id) {
    if (Status s = (*load)->AddEntry(maker.WithId(id)); !s.ok()) return s;
    pace.Step("entries");
  }
  const uint64_t bytes = (*load)->bytes();
  if (Status s = (*load)->Finish(); !s.ok()) return s;
  return FillResult{pace.seconds(), bytes};
}

}  // namespace belfry
