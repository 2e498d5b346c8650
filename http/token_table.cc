#include "http/token_table.h"

#include <cstring>
#include <utility>

#include "http/token_hash.h"

namespace belfry {

size_t TokenTable::FirstBytes::operator()(const TokenHash& token) const {
  size_t bytes;
  std::memcpy(&bytes, token.data(), sizeof bytes);
  return bytes;
}

bool TokenTable::Add(Grant grant) {
  const auto place = static_cast<uint32_t>(grants_.size());
  if (!places_.emplace(grant.token, place).second) return false;
  grants_.push_back(std::move(grant));
  return true;
}

const Grant* TokenTable::Find(const TokenHash& token) const {
  static const Grant kNobody;
  const auto found = places_.find(token);
  const bool known = found != places_.end();
  const Grant& grant = known ? grants_[found->second] : kNobody;
  return SameHash(grant.token, token) && known ? &grant : nullptr;
}

}  // namespace belfry
