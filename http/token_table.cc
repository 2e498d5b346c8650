#include "http/token_table.h"

#include <cstring>
#include <utility>

#include "http/token_hash.h"

namespace belfry {
namespace {

uint64_t PrefixOf(const TokenHash& hash) {
  uint64_t prefix;
  std::memcpy(&prefix, hash.data(), sizeof prefix);
  return prefix;
}

}  // namespace

bool TokenTable::Add(Grant grant) {
  const auto place = static_cast<uint32_t>(grants_.size());
  if (!places_.emplace(PrefixOf(grant.token), place).second) return false;
  grants_.push_back(std::move(grant));
  return true;
}

const Grant* TokenTable::Find(const TokenHash& token) const {
  static const Grant kNobody;
  const auto found = places_.find(PrefixOf(token));
  const bool known = found != places_.end();
  const Grant& grant = known ? grants_[found->second] : kNobody;
  return SameHash(grant.token, token) && known ? &grant : nullptr;
}

}  // namespace belfry
