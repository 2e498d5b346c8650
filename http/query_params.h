// query_params.h - the query of a request, strictly: known names, each once, clean encoding. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace belfry {

class QueryParams {
 public:
  // `allowed` are the names that may occur, each once but for those that are `repeated`, too. A '+'
  // stands for itself, so that an offset such as
  // `+01:00` may be written plainly. The message of an error names the parameter.
  [[nodiscard]] static Result<QueryParams> Parse(
      std::string_view query, const std::vector<std::string_view>& allowed,
      const std::vector<std::string_view>& repeated = {});

  // Decoded; nullopt when it is not there.
  [[nodiscard]] std::optional<std::string_view> Get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> All(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// nullopt when a '%' is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> PercentDecode(std::string_view text);
// Everything but letters, digits and `-._~` encoded.
[[nodiscard]] std::string PercentEncode(std::string_view text);

}  // namespace belfry
