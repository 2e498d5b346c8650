#include "bench/stopwatch_fill.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "bench/progress.h"
#include "storage/data_dir.h"

namespace belfry {
namespace {

constexpr TenantId kFirstStranger = 1'000'000;

class Filler {
 public:
  Filler(Ledger& store, uint64_t total) : store_(store), total_(total) {}

  Status Add(TenantId tenant, std::string name) {
    group_.push_back({0, StopwatchPutOp{{tenant, std::move(name), now_}}});
    return group_.size() < kGroupOpsMax ? Status() : Flush();
  }
  Status Flush() {
    done_ += group_.size();
    const double rate = static_cast<double>(done_) / seconds();
    const double left_s = static_cast<double>(total_ - std::min(done_, total_)) / rate;
    progress_.Show("stopwatches", rate, static_cast<int64_t>(left_s * 1e3), 0);
    std::vector<Completion> done;
    return store_.Apply(std::exchange(group_, {}), &done);
  }
  [[nodiscard]] double seconds() const {
    return static_cast<double>(clock_.Mono() - begun_ + 1) / 1e3;
  }

 private:
  const SystemClock clock_;
  const WallMs now_ = clock_.Wall();
  const MonoMs begun_ = clock_.Mono();
  Ledger& store_;
  const uint64_t total_;
  uint64_t done_ = 0;
  std::vector<Op> group_;
  Progress progress_;
};

}  // namespace

Result<double> FillStopwatches(const StopwatchFillPlan& plan) {
  DataDirOptions options;
  options.path = plan.data;
  auto data = DataDir::Open(options);
  if (!data.ok()) return data.status();
  Filler filler((*data)->store(), plan.others + plan.own + plan.owners);
  Status s;
  for (uint64_t i = 0; i < plan.owners && s.ok(); ++i) {
    s = filler.Add(kLocalTenant + static_cast<TenantId>(i), "tea");
  }
  for (uint64_t i = 1; i < plan.own && s.ok(); ++i) {
    s = filler.Add(kLocalTenant, "own " + std::to_string(i));
  }
  for (uint64_t i = 0; i < plan.others && s.ok(); ++i) {
    s = filler.Add(kFirstStranger + static_cast<TenantId>(i),
                   (i % 2 == 0 ? "te" : "tea") + std::to_string(i));
  }
  if (s.ok()) s = filler.Flush();
  if (s.ok()) s = (*data)->CloseCleanly();
  if (!s.ok()) return s;
  return filler.seconds();
}

}  // namespace belfry
