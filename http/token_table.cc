#include "http/token_table.h"

#include <utility>

namespace belfry {

bool TokenTable::Add(Grant grant) {
  const auto place = static_cast<uint32_t>(grants_.size());
  if (!places_.emplace(grant.token, place).second) return false;
  grants_.push_back(std::move(grant));
  return true;
}

const Grant* TokenTable::Find(const TokenHash& token) const {
  const auto found = places_.find(token);
  return found == places_.end() ? nullptr : &grants_[found->second];
}

}  // namespace belfry
