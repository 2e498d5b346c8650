#include "storage/batch.h"

#include "storage/checksum.h"

namespace belfry {
namespace {

uint64_t HashOf(Cf cf, std::string_view key) {
  return ChecksumOf(static_cast<uint8_t>(cf), key, {});
}

}  // namespace

void Batch::Put(Cf cf, std::string_view key, std::string_view value) { Add(cf, key, value, true); }

void Batch::Delete(Cf cf, std::string_view key) { Add(cf, key, {}, false); }

void Batch::Append(const Batch& other) {
  for (size_t i = 0; i < other.size(); ++i) {
    const Write write = other.at(i);
    Add(write.cf, write.key, write.value, write.is_put);
  }
}

void Batch::Clear() {
  bytes_.clear();
  writes_.clear();
  newest_.clear();
  indexed_.fill(0);
}

void Batch::Add(Cf cf, std::string_view key, std::string_view value, bool is_put) {
  writes_.push_back({bytes_.size(), static_cast<uint32_t>(key.size()),
                     static_cast<uint32_t>(value.size()), cf, is_put, -1});
  bytes_.append(key).append(value);
}

Batch::Write Batch::at(size_t i) const {
  const Stored& w = writes_[i];
  const std::string_view all = bytes_;
  return {w.cf, w.is_put, all.substr(w.offset, w.key_bytes),
          all.substr(w.offset + w.key_bytes, w.value_bytes)};
}

void Batch::Index(Cf cf) {
  for (size_t& i = indexed_[static_cast<size_t>(cf)]; i < writes_.size(); ++i) {
    if (writes_[i].cf != cf) continue;
    const Write write = at(i);
    auto [it, added] = newest_.try_emplace(HashOf(cf, write.key), static_cast<int32_t>(i));
    if (added) continue;
    writes_[i].older = it->second;
    it->second = static_cast<int32_t>(i);
  }
}

Batch::Seen Batch::Find(Cf cf, std::string_view key, std::string_view* value) {
  Index(cf);
  const auto it = newest_.find(HashOf(cf, key));
  int32_t i = it == newest_.end() ? -1 : it->second;
  for (; i >= 0; i = writes_[i].older) {
    const Write write = at(i);
    if (write.cf != cf || write.key != key) continue;
    *value = write.value;
    return write.is_put ? Seen::kPut : Seen::kDeleted;
  }
  return Seen::kNothing;
}

}  // namespace belfry
