#include "tests/support/store_rig.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "storage/memory_kv.h"

namespace belfry {
namespace {

class MemoryEngine final : public StoreEngine {
 public:
  std::unique_ptr<Kv> Open() override {
    disk_->Crash();
    return std::make_unique<MemoryKv>(disk_);
  }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

}  // namespace

std::unique_ptr<StoreEngine> MakeMemoryEngine() { return std::make_unique<MemoryEngine>(); }

StoreRig::StoreRig(std::unique_ptr<StoreEngine> engine) : engine_(std::move(engine)) {
  OpenLedger();
}

StoreRig::~StoreRig() = default;

void StoreRig::OpenLedger() {
  std::unique_ptr<Kv> kv = engine_->Open();
  CHECK(kv != nullptr);
  kv_ = kv.get();
  Result<std::unique_ptr<Ledger>> ledger = Ledger::Open(std::move(kv), kTestStoreId);
  EXPECT_TRUE(ledger.ok()) << ledger.status().message();
  ledger_ = std::move(*ledger);
}

void StoreRig::Reopen() {
  ledger_.reset();
  OpenLedger();
}

std::vector<Completion> StoreRig::ApplyGroup(std::vector<Op> group) {
  std::vector<Completion> done;
  const size_t ops = group.size();
  const Status s = ledger_->Apply(std::move(group), &done);
  EXPECT_TRUE(s.ok()) << s.message();
  EXPECT_EQ(done.size(), ops);
  return done;
}

LoadedPage StoreRig::Load(Key after, size_t rows_max, size_t bytes_max) {
  return std::move(Apply(LoadOp{7, after, rows_max, bytes_max})[0].page);
}

std::vector<TimerId> StoreRig::LiveIds() { return IdsOf(Load()); }

Completion StoreRig::LoadParked(TargetNumber target, Key after, Key low, size_t rows_max,
                                size_t bytes_max) {
  return std::move(Apply(LoadParkedOp{target, 7, after, low, rows_max, bytes_max})[0]);
}

std::vector<TimerId> StoreRig::ParkedIds(TargetNumber target) {
  return IdsOf(LoadParked(target).page);
}

QueryResult StoreRig::Run(Query query) {
  QueryResult result = ledger_->Run(query);
  EXPECT_TRUE(result.status.ok()) << result.status.message();
  return result;
}

std::optional<TimerView> StoreRig::Find(TimerId id, bool full, TenantId tenant) {
  QueryResult result = Run({1, FindQuery{tenant, id, full}, {}});
  return std::move(std::get<std::optional<TimerView>>(result.what));
}

TimerPage StoreRig::List(ListQuery list, std::vector<TimerId> firing) {
  if (list.tenant == 0) list.tenant = kLocalTenant;
  if (list.limit == 0) list.limit = kPageDefault;
  QueryResult result = Run({1, list, std::make_shared<std::vector<TimerId>>(std::move(firing))});
  return std::move(std::get<TimerPage>(result.what));
}

uint64_t StoreRig::Count(TimerFilter filter, std::vector<TimerId> firing, TenantId tenant) {
  QueryResult result = Run(
      {1, CountQuery{tenant, filter}, std::make_shared<std::vector<TimerId>>(std::move(firing))});
  return std::get<uint64_t>(result.what);
}

uint64_t StoreRig::CountIn(TimerState state, std::vector<TimerId> firing) {
  TimerFilter filter;
  filter.state = state;
  return Count(filter, std::move(firing));
}

bool StoreRig::Stored(Cf cf, std::string_view key) const {
  return kv_->Get(cf, key).value().has_value();
}

Timer PendingTimer(TimerId id, int64_t due_ms, TenantId tenant) {
  Timer timer;
  timer.id = id;
  timer.tenant = tenant;
  timer.due = {due_ms};
  timer.next_attempt = {due_ms};
  timer.created_at = {1};
  timer.url = "http://127.0.0.1:9000/hook";
  return timer;
}

TimerPtr Own(Timer timer) { return std::make_unique<Timer>(std::move(timer)); }

PutOp Put(Timer timer) { return {Own(std::move(timer)), "", ""}; }

SettleOp Settle(Timer timer, TimerState state, int64_t finished_ms) {
  const Key key = KeyOf(timer);
  timer.state = state;
  timer.finished = {finished_ms};
  if (state == TimerState::kDead) timer.reason = DeadReason::kExhausted;
  ++timer.attempts;
  timer.history.push_back({{finished_ms - 1}, state == TimerState::kDelivered ? 200 : 500, 1, ""});
  return {key, Own(std::move(timer))};
}

RetryOp Retry(Timer timer, int64_t next_ms) {
  const Key key = KeyOf(timer);
  timer.state = TimerState::kRetrying;
  timer.next_attempt = {next_ms};
  ++timer.attempts;
  timer.history.push_back({key.at, 500, 3, ""});
  return {key, Own(std::move(timer))};
}

ParkOp Park(Timer timer, std::string target) {
  const Key key = KeyOf(timer);
  return {key, Own(std::move(timer)), std::move(target)};
}

EraseByIdOp Erase(TimerId id, int64_t now_ms, TenantId tenant) { return {tenant, id, {now_ms}}; }

std::vector<TimerId> IdsOf(const LoadedPage& page) {
  std::vector<TimerId> ids;
  for (const TimerPtr& timer : page.timers) ids.push_back(timer->id);
  return ids;
}

std::vector<TimerId> IdsOf(const TimerPage& page) {
  std::vector<TimerId> ids;
  for (const TimerView& view : page.timers) ids.push_back(view.id);
  return ids;
}

}  // namespace belfry
