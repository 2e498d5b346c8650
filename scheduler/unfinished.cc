#include "scheduler/unfinished.h"

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

void Unfinished::Queued(const Entry& entry) {
  ++queued_;
  fifo_.push_back(entry);
  if (entry.id != 0) ++count_[Of(entry.tenant, entry.id)];
  if (entry.second_id != 0) ++count_[SecondOf(entry)];
  if (!entry.second_is_known) ++of_anyone_;
  if (entry.is_set) ++sets_;
  set_bytes_ += entry.set_bytes;
  if (entry.least_at == kKeyMax.at) return;
  while (!least_.empty() && least_.back().at >= entry.least_at) least_.pop_back();
  least_.push_back({queued_, entry.least_at});
}

Unfinished::Entry Unfinished::Completed() {
  CHECK(!fifo_.empty());
  ++completed_;
  const Entry entry = fifo_.front();
  fifo_.pop_front();
  if (entry.id != 0) Uncount(Of(entry.tenant, entry.id));
  if (entry.second_id != 0) Uncount(SecondOf(entry));
  if (!entry.second_is_known) --of_anyone_;
  if (entry.is_set) --sets_;
  set_bytes_ -= entry.set_bytes;
  if (!least_.empty() && least_.front().number <= completed_) least_.pop_front();
  return entry;
}

Unfinished::Owned Unfinished::Of(TenantId tenant, TimerId id) {
  return {Planted(Bug::kStrangersOpHolds) ? 0 : tenant, id};
}

Unfinished::Owned Unfinished::SecondOf(const Entry& entry) {
  return Of(entry.second_is_known ? entry.tenant : kAnyone, entry.second_id);
}

void Unfinished::Uncount(const Owned& owned) {
  const auto found = count_.find(owned);
  if (Planted(Bug::kSetInsteadOfCount)) {
    if (found != count_.end()) count_.erase(found);
  } else if (--found->second == 0) {
    count_.erase(found);
  }
}

std::vector<ReplyToken> Unfinished::TakeTokens() {
  std::vector<ReplyToken> tokens;
  for (Entry& entry : fifo_) {
    if (entry.token != 0) tokens.push_back(entry.token);
    entry.token = 0;
  }
  return tokens;
}

size_t Unfinished::CountFor(TenantId tenant, TimerId id) const {
  return Count(Of(tenant, id)) + (of_anyone_ == 0 ? 0 : Count(Of(kAnyone, id)));
}

size_t Unfinished::Count(const Owned& owned) const {
  const auto found = count_.find(owned);
  return found == count_.end() ? 0 : found->second;
}

WallMs Unfinished::LeastAt() const { return least_.empty() ? kKeyMax.at : least_.front().at; }

}  // namespace belfry
