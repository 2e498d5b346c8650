#include "scheduler/left_rows.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

TargetNames LeftRows::NamesAnd(const TargetNames& more) const {
  if (empty()) return more;
  std::vector<std::string> names;
  for (const auto& [target, until] : until_of_) names.push_back(target);
  if (more) names.insert(names.end(), more->begin(), more->end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return std::make_shared<const std::vector<std::string>>(std::move(names));
}

bool LeftRows::HasAfter(std::string_view target, WallMs now) const {
  const auto found = until_of_.find(target);
  return found != until_of_.end() && found->second.at > now;
}

void LeftRows::Leave(std::string_view target, const Key& first, const Key& last) {
  CHECK(first <= last);
  const Key before = Planted(Bug::kLeftRowForgotten) ? first : JustBelow(first);
  if (empty() || before < begin_) {
    if (load_outstanding_ && !Planted(Bug::kLeftStalePageAccepted)) ++generation_;
    begin_ = before;
  }
  until_ = empty() ? last : std::max(until_, last);
  const auto known = until_of_.find(target);
  if (known == until_of_.end()) {
    until_of_.emplace(target, last);
  } else {
    known->second = std::max(known->second, last);
  }
}

void LeftRows::EndAt(const Key& last) {
  if (begin_ >= last) until_of_.clear();
  for (auto& [target, until] : until_of_) until = std::min(until, last);
  until_ = std::min(until_, last);
}

WallMs LeftRows::HeldOffUntil(WallMs now) const {
  // A clock that stepped back does not hold it off.
  return next_load_ - now <= kLeftIntervalMs ? next_load_ : now;
}

std::optional<WallMs> LeftRows::NextLoadAt(WallMs now) const {
  if (load_outstanding_ || empty()) return std::nullopt;
  return std::max(first().at, HeldOffUntil(now));
}

std::optional<LoadOp> LeftRows::NextLoad(size_t rows_max, size_t bytes_max, WallMs now) {
  const auto at = NextLoadAt(now);
  if (!at || *at > now) return std::nullopt;
  load_outstanding_ = true;
  load_asked_ = now;
  load_last_ = std::min(until_, JustBelow({now + 1, 0}));
  LoadOp load;
  load.reader = Reader::kLeftRows;
  load.generation = generation_;
  load.after = begin_;
  load.end = JustAbove(load_last_);
  load.rows_max = rows_max;
  load.bytes_max = bytes_max;
  return load;
}

std::vector<TimerPtr> LeftRows::TakePage(LoadedPage page) {
  CHECK(load_outstanding_);
  load_outstanding_ = false;
  if (page.generation != generation_) return {};
  // Mostly all that is left now is due later.
  const int64_t interval_ms = page.timers.empty() ? kLeftIntervalMs : kLoadIntervalMs;
  if (page.ended) next_load_ = load_asked_ + interval_ms;
  begin_ = std::max(begin_, page.ended ? load_last_ : page.last_examined);
  std::erase_if(until_of_, [this](const auto& left) { return left.second <= begin_; });
  return std::move(page.timers);
}

}  // namespace belfry
