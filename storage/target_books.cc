#include "storage/target_books.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace belfry {

bool TargetBooks::ReadRow(MetaKind kind, ByteReader* key, ByteReader* value) {
  switch (kind) {
    case MetaKind::kParkedTarget: {
      ParkedTarget target;
      target.number = key->U32();
      target.low.at.ms = static_cast<int64_t>(value->U64());
      target.low.id = value->U64();
      target.name = value->Bytes(value->rest().size());
      last_number_ = std::max(last_number_, target.number);
      if (target.number == 0 || !numbers_.emplace(target.name, target.number).second) return false;
      parked_[target.number] = std::move(target);
      return true;
    }
    case MetaKind::kParkedNumber:
      last_number_ = std::max(last_number_, value->U32());
      return true;
    case MetaKind::kPausedAll:
      paused_all_ = true;
      return true;
    case MetaKind::kPausedTarget:
      if (key->rest().empty()) return false;
      paused_.emplace(key->Bytes(key->rest().size()));
      return true;
    default:
      return false;
  }
}

std::vector<ParkedTarget> TargetBooks::Parked() const {
  std::vector<ParkedTarget> out;
  out.reserve(parked_.size());
  for (const auto& [number, target] : parked_) out.push_back(target);
  return out;
}

const ParkedTarget* TargetBooks::Find(TargetNumber number) const {
  const auto it = parked_.find(number);
  return it == parked_.end() ? nullptr : &it->second;
}

TargetNumber TargetBooks::Join(std::string_view name, Key key) {
  if (const auto known = numbers_.find(name); known != numbers_.end()) {
    ParkedTarget& target = parked_.at(known->second);
    if (key < target.low) {
      target.low = key;
      changed_.insert(target.number);
    }
    return target.number;
  }
  if (parked_.size() >= kParkedTargetsMax || name.size() > kTargetNameBytesMax ||
      last_number_ == std::numeric_limits<TargetNumber>::max()) {
    return 0;
  }
  ++last_number_;
  number_given_ = true;
  numbers_.emplace(name, last_number_);
  parked_[last_number_] = {last_number_, std::string(name), key};
  changed_.insert(last_number_);
  return last_number_;
}

void TargetBooks::RaiseLow(TargetNumber number, Key low) {
  const auto it = parked_.find(number);
  if (it == parked_.end() || low <= it->second.low) return;
  it->second.low = low;
  raised_.insert(number);
}

void TargetBooks::End(TargetNumber number) {
  const auto it = parked_.find(number);
  if (it == parked_.end()) return;
  numbers_.erase(it->second.name);
  parked_.erase(it);
  raised_.erase(number);
  changed_.insert(number);
}

std::vector<std::string> TargetBooks::Paused() const { return {paused_.begin(), paused_.end()}; }

bool TargetBooks::SetPaused(std::string_view name, bool paused) {
  const bool was = name.empty() ? paused_all_ : paused_.contains(name);
  if (was == paused) return true;
  if (name.empty()) {
    paused_all_ = paused;
  } else if (!paused) {
    paused_.erase(paused_.find(name));
  } else {
    if (paused_.size() >= kPausedTargetsMax || name.size() > kTargetNameBytesMax) return false;
    paused_.emplace(name);
  }
  const std::string key =
      name.empty() ? std::string(MetaKey(MetaKind::kPausedAll)) : PausedTargetKey(name);
  if (paused) {
    switched_.Put(Cf::kMeta, key, {});
  } else {
    switched_.Delete(Cf::kMeta, key);
  }
  return true;
}

void TargetBooks::WriteTarget(TargetNumber number, Batch* batch) const {
  const auto it = parked_.find(number);
  if (it == parked_.end()) return batch->Delete(Cf::kMeta, ParkedTargetKey(number));
  const ParkedTarget& target = it->second;
  std::string value;
  AppendU64(&value, static_cast<uint64_t>(target.low.at.ms));
  AppendU64(&value, target.low.id);
  batch->Put(Cf::kMeta, ParkedTargetKey(number), value.append(target.name));
}

void TargetBooks::Write(Batch* batch) {
  changed_.insert(raised_.begin(), raised_.end());
  for (const TargetNumber number : changed_) WriteTarget(number, batch);
  if (number_given_) {
    batch->Put(Cf::kMeta, MetaKey(MetaKind::kParkedNumber), ShortKey().U32(last_number_));
  }
  batch->Append(switched_);
  changed_.clear();
  raised_.clear();
  number_given_ = false;
  switched_.Clear();
}

}  // namespace belfry
