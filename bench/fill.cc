#include "bench/fill.h"

#include <sys/statvfs.h>

#include <cstdio>

#include "base/clock.h"
#include "bench/fill_order.h"
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

class Maker {
 public:
  Maker(const FillPlan& plan, WallMs now)
      : plan_(plan), order_(plan.count, now + plan.from_ms, plan.spread_ms) {
    timer_.created_at = now;
    timer_.url = plan.target;
    timer_.headers = {
        {"Content-Type", "application/json"}, {"X-Source", "billing"}, {"X-Customer", ""}};
  }

  [[nodiscard]] const FillOrder& order() const { return order_; }
  // What a record needs of the timer with this id. Borrowed until the next call.
  const Timer& Whole(TimerId id) {
    WithId(id);
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
  // What an entry needs of it.
  const Timer& WithId(TimerId id) {
    timer_.id = id;
    timer_.due = timer_.next_attempt = order_.DueOf(id);
    return timer_;
  }

 private:
  const FillPlan& plan_;
  const FillOrder order_;
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
  const WallMs now = SystemClock().Wall();
  Maker maker(plan, now);
  Pace pace(2 * plan.count);
  const FillOrder& order = maker.order();
  for (uint64_t slot = 0; slot < order.slots(); ++slot) {
    for (TimerId id = order.FirstIdIn(slot); id <= plan.count; id += order.slots()) {
      if (Status s = (*load)->AddRecord(maker.Whole(id)); !s.ok()) return s;
      pace.Step("records");
    }
  }
  for (TimerId id = 1; id <= plan.count; ++id) {
    if (Status s = (*load)->AddEntry(maker.WithId(id)); !s.ok()) return s;
    pace.Step("entries");
  }
  const uint64_t bytes = (*load)->bytes();
  if (Status s = (*load)->Finish(); !s.ok()) return s;
  return FillResult{pace.seconds(), bytes, now + plan.from_ms};
}

}  // namespace belfry
