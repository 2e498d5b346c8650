#include "scheduler/parking.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

void Parking::Add(TargetNumber number, std::string name, const Key& low) {
  auto lot = std::make_unique<Lot>();
  lot->name = std::move(name);
  lot->cursor = JustBelow(low);
  CHECK(numbers_.emplace(lot->name, number).second);
  CHECK(lots_.emplace(number, std::move(lot)).second);
}

std::string_view Parking::NameOf(TargetNumber number) const {
  const auto found = lots_.find(number);
  return found == lots_.end() ? std::string_view() : found->second->name;
}

TargetNumber Parking::NumberOf(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? 0 : found->second;
}

bool Parking::HasUnread(TargetNumber number) const {
  const auto found = lots_.find(number);
  return found != lots_.end() && !found->second->read_to_end;
}

Parking::Lot& Parking::LotOf(TargetNumber number) {
  const auto found = lots_.find(number);
  CHECK(found != lots_.end());
  return *found->second;
}

void Parking::Parked(TargetNumber number, std::string_view name, const Key& key) {
  if (!Has(number)) Add(number, std::string(name), key);
  Lot& lot = LotOf(number);
  Left(key.id);
  ReadAgain(lot, key);
  Want(number);
}

// Rows are read behind the cursor only.
void Parking::ReadAgain(Lot& lot, const Key& key) {
  lot.read_to_end = false;
  if (key > lot.cursor || Planted(Bug::kParkBelowCursorForgotten)) return;
  lot.cursor = JustBelow(key);
  ++lot.generation;
}

bool Parking::PutBack(TimerId id) {
  const auto found = out_.find(id);
  if (found == out_.end()) return false;
  const Out out = found->second;
  out_.erase(found);
  Lot& lot = LotOf(out.number);
  lot.out.erase(out.key);
  ReadAgain(lot, out.key);
  return true;
}

void Parking::Left(TimerId id) {
  const auto found = out_.find(id);
  if (found == out_.end()) return;
  const Out out = found->second;
  out_.erase(found);
  const auto lot = lots_.find(out.number);
  if (lot == lots_.end()) return;
  lot->second->out.erase(out.key);
  if (lot->second->out.empty()) Want(out.number);
}

void Parking::Want(TargetNumber number) {
  const auto lot = lots_.find(number);
  if (lot == lots_.end() || std::exchange(lot->second->wanting, true)) return;
  wanting_.push_back(number);
}

TargetNumber Parking::NextWanting() {
  while (!wanting_.empty()) {
    const TargetNumber number = wanting_.front();
    wanting_.pop_front();
    const auto lot = lots_.find(number);
    if (lot == lots_.end()) continue;
    lot->second->wanting = false;
    return number;
  }
  return 0;
}

std::optional<LoadParkedOp> Parking::NextLoad(TargetNumber number, size_t rows_max,
                                              size_t bytes_max, size_t parks) {
  Lot& lot = LotOf(number);
  if (lot.load_outstanding) return std::nullopt;
  if (lot.read_to_end && !lot.out.empty()) return std::nullopt;
  if (lot.read_to_end && parks > 0) {
    if (!std::exchange(lot.ending, true)) ending_.push_back(number);
    return std::nullopt;
  }
  lot.load_outstanding = true;
  LoadParkedOp load;
  load.target = number;
  load.generation = lot.generation;
  load.after = lot.cursor;
  // A Park on its way may be of a row below.
  if (parks == 0) {
    load.low = JustAbove(lot.cursor);
    if (!lot.out.empty()) load.low = std::min(load.low, *lot.out.begin());
  }
  load.rows_max = rows_max;
  load.bytes_max = bytes_max;
  return load;
}

void Parking::LookForEnds() {
  for (const auto& [number, lot] : lots_) {
    lot->looks_for_end = true;
    Want(number);
  }
}

bool Parking::LooksForEnd(TargetNumber number) const {
  const auto found = lots_.find(number);
  return found != lots_.end() && found->second->looks_for_end;
}

void Parking::ParksDone() {
  for (const TargetNumber number : std::exchange(ending_, {})) {
    if (const auto lot = lots_.find(number); lot != lots_.end()) lot->second->ending = false;
    Want(number);
  }
}

std::vector<TimerPtr> Parking::TakePage(TargetNumber number, LoadedPage page, bool target_ended) {
  Lot& lot = LotOf(number);
  CHECK(lot.load_outstanding);
  lot.load_outstanding = false;
  const bool stale = page.generation != lot.generation;
  if (target_ended) {
    numbers_.erase(lot.name);
    lots_.erase(number);
    return {};
  }
  if (stale) {
    Want(number);
    return {};
  }
  lot.cursor = std::max(lot.cursor, page.last_examined);
  lot.read_to_end = page.ended;
  if (!page.timers.empty()) lot.looks_for_end = false;
  if (!page.ended || page.timers.empty()) Want(number);
  for (const TimerPtr& timer : page.timers) {
    const Key key = KeyOf(*timer);
    if (out_.emplace(timer->id, Out{number, key}).second) lot.out.insert(key);
  }
  return std::move(page.timers);
}

}  // namespace belfry
