// Pages of live timers in deadline order, for the window.

#include "base/planted.h"
#include "storage/ledger.h"
#include "storage/record.h"

namespace belfry {
namespace {

// Behind every key time there is: an iterator without an upper bound could walk a wall of deletes.
constexpr Key kDueEnd{kWallMax + 1, 0};

Key FirstAfter(Key after, WallMs low) {
  const Key next = after.at.ms < 0 ? Key{} : JustAbove(after);
  return std::max(next, Key{low, 0});
}

}  // namespace

Status Ledger::Do(LoadOp& op, Completion* done) {
  LoadedPage& page = done->page;
  page.generation = op.generation;
  page.last_examined = op.after;
  const auto view = kv_->View();
  const auto rows =
      view->Scan(Cf::kDue, TimeKey(FirstAfter(op.after, books_.low())), TimeKey(kDueEnd));
  size_t examined = 0;
  size_t bytes = 0;
  for (; rows->Valid(); rows->Next()) {
    const size_t row_bytes = rows->key().size() + rows->value().size();
    if (examined > 0 && (examined >= op.rows_max || bytes + row_bytes > op.bytes_max)) return {};
    const std::optional<Key> key = ParseTimeKey(rows->key());
    if (!key)
      return Corruption("due holds a key of " + std::to_string(rows->key().size()) + " bytes");
    Result<TimerPtr> timer = DecodeTimer(rows->key(), rows->value());
    if (!timer.ok()) return Corruption("due " + KeyText(*key) + ": " + timer.status().message());
    ++examined;
    bytes += row_bytes;
    page.last_examined = *key;
    const bool exists = books_.Exists((*timer)->tenant, (*timer)->id);
    if (exists || Planted(Bug::kFloorNotHonouredByPage)) page.timers.push_back(std::move(*timer));
  }
  page.ended = rows->status().ok();
  return rows->status();
}

}  // namespace belfry
