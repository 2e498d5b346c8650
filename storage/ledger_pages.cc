// Pages of live timers in deadline order, for the window.

#include "base/planted.h"
#include "storage/ledger.h"
#include "storage/record.h"
#include "storage/rows_to_leave.h"

namespace belfry {
namespace {

Key FirstAfter(Key after, WallMs low) {
  const Key next = after.at.ms < 0 ? Key{} : JustAbove(after);
  return std::max(next, Key{low, 0});
}

std::optional<Key> KeyIn(Cf cf, std::string_view bytes) {
  if (cf == Cf::kDue) return ParseTimeKey(bytes);
  const std::optional<TargetKey> parked = ParseParkedKey(bytes);
  return parked ? std::optional(parked->key) : std::nullopt;
}

}  // namespace

Status Ledger::Do(LoadOp& op, Completion* done) {
  LoadedPage& page = done->page;
  page.reader = op.reader;
  page.generation = op.generation;
  page.last_examined = op.after;
  const Key first = FirstAfter(op.after, books_.low());
  const Key end = std::min(op.end, kKeyTimesEnd);
  if (first >= end) {
    page.ended = true;
    return {};
  }
  const auto view = kv_->View();
  const auto rows = view->Scan(Cf::kDue, TimeKey(first), TimeKey(end));
  RowsToLeave leave(op.leave, op.leases_only, &page.left);
  return FillPage(Cf::kDue, rows.get(), op.rows_max, op.bytes_max, &leave, &page);
}

Status Ledger::FillPage(Cf cf, KvIterator* rows, size_t rows_max, size_t bytes_max,
                        RowsToLeave* leave, LoadedPage* page) {
  const std::string family(CfName(cf));
  size_t examined = 0;
  size_t bytes = 0;
  for (; rows->Valid(); rows->Next()) {
    const size_t row_bytes = rows->key().size() + rows->value().size();
    if (examined > 0 && (examined >= rows_max || bytes + row_bytes > bytes_max)) return {};
    if (leave->full()) return {};
    const std::optional<Key> key = KeyIn(cf, rows->key());
    if (!key)
      return Corruption(family + " holds a key of " + std::to_string(rows->key().size()) +
                        " bytes");
    const Result<bool> left = leave->Leaves(*key, rows->key(), rows->value());
    if (!left.ok())
      return Corruption(family + " " + KeyText(*key) + ": " + left.status().message());
    if (*left) {
      page->last_examined = *key;
      continue;
    }
    Result<TimerPtr> timer = DecodeTimer(rows->key(), rows->value());
    if (!timer.ok())
      return Corruption(family + " " + KeyText(*key) + ": " + timer.status().message());
    ++examined;
    bytes += row_bytes;
    page->last_examined = *key;
    const bool exists = books_.Exists((*timer)->tenant, (*timer)->id);
    if (exists || Planted(Bug::kFloorNotHonouredByPage)) page->timers.push_back(std::move(*timer));
  }
  page->ended = rows->status().ok();
  return rows->status();
}

}  // namespace belfry
