// schema_html.h - JSON schemas of openapi.yaml in words and tables. Runs at build time only.
#pragma once

#include <string>

namespace YAML {
class Node;
}

namespace belfry {

// What a value may be, in one line: `integer, 1 to 1000`, `array of Attempt`. A schema with a name
// becomes a link to its anchor.
[[nodiscard]] std::string TypeHtml(const YAML::Node& schema);
// One row for each member; "" for what is no object.
[[nodiscard]] std::string MembersHtml(const YAML::Node& schema);
// The last step of a `$ref`; "" when there is none.
[[nodiscard]] std::string NameOfRef(const YAML::Node& node);

}  // namespace belfry
