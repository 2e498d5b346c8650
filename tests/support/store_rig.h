// store_rig.h - a ledger over one of the engines, and short words to work it. For tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/ledger.h"

namespace belfry {

inline constexpr char kTestStoreId[] = "abcdefghij";

// Where the bytes are: they outlive every ledger opened over them.
class StoreEngine {
 public:
  virtual ~StoreEngine() = default;
  [[nodiscard]] virtual std::unique_ptr<Kv> Open() = 0;
};

[[nodiscard]] std::unique_ptr<StoreEngine> MakeMemoryEngine();

class StoreRig {
 public:
  explicit StoreRig(std::unique_ptr<StoreEngine> engine);
  ~StoreRig();

  // Drops the ledger without closing it, and opens the next over the same bytes.
  void Reopen();
  // What compaction may remove now is removed.
  void Compact() { CHECK(kv_->Compact().ok()); }

  [[nodiscard]] Ledger& store() { return *ledger_; }
  [[nodiscard]] const Kv& kv() const { return *kv_; }

  // One group; it must succeed. Tokens count up from 1 within the group.
  template <typename... Ops>
  std::vector<Completion> Apply(Ops... ops) {
    std::vector<Op> group;
    (group.push_back(Op{group.size() + 1, std::move(ops)}), ...);
    return ApplyGroup(std::move(group));
  }
  std::vector<Completion> ApplyGroup(std::vector<Op> group);

  // The page after `after`, and the ids on it.
  LoadedPage Load(Key after = {}, size_t rows_max = 1000, size_t bytes_max = 1 << 20);
  std::vector<TimerId> LiveIds();
  // As Load, of what is parked under a number.
  Completion LoadParked(TargetNumber target, Key after = {}, Key low = {}, size_t rows_max = 1000,
                        size_t bytes_max = 1 << 20);
  std::vector<TimerId> ParkedIds(TargetNumber target);

  // Reads; they must succeed.
  std::optional<TimerView> Find(TimerId id, bool full = true, TenantId tenant = kLocalTenant);
  TimerPage List(ListQuery list, std::vector<TimerId> firing = {});
  uint64_t Count(TimerFilter filter = {}, std::vector<TimerId> firing = {},
                 TenantId tenant = kLocalTenant);
  uint64_t CountIn(TimerState state, std::vector<TimerId> firing = {});
  [[nodiscard]] bool Stored(Cf cf, std::string_view key) const;
  QueryResult Run(Query query);
  [[nodiscard]] std::optional<QueryResult> RunFromMemory(const Query& query) const {
    return ledger_->RunFromMemory(query);
  }

 private:
  void OpenLedger();

  std::unique_ptr<StoreEngine> engine_;
  Kv* kv_ = nullptr;
  std::unique_ptr<Ledger> ledger_;
};

[[nodiscard]] Timer PendingTimer(TimerId id, int64_t due_ms, TenantId tenant = kLocalTenant);
[[nodiscard]] TimerPtr Own(Timer timer);
[[nodiscard]] PutOp Put(Timer timer);
// The timer ends at `finished_ms` with one more attempt charged.
[[nodiscard]] SettleOp Settle(Timer timer, TimerState state, int64_t finished_ms);
// One attempt is charged and the next is at `next_ms`.
[[nodiscard]] RetryOp Retry(Timer timer, int64_t next_ms);
// The timer, as it is in the store.
[[nodiscard]] ParkOp Park(Timer timer, std::string target);
[[nodiscard]] EraseByIdOp Erase(TimerId id, int64_t now_ms, TenantId tenant = kLocalTenant);

[[nodiscard]] std::vector<TimerId> IdsOf(const LoadedPage& page);
[[nodiscard]] std::vector<TimerId> IdsOf(const TimerPage& page);

}  // namespace belfry
