#include "http/name.h"

#include "base/name.h"
#include "http/query_params.h"

namespace belfry {

std::optional<std::string> NameInPath(std::string_view segment) {
  std::optional<std::string> name = PercentDecode(segment);
  return name && IsName(*name) ? name : std::nullopt;
}

}  // namespace belfry
