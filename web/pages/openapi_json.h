// openapi_json.h - the description of the API from YAML to JSON. Runs at build time only.
#pragma once

#include <string>

namespace YAML {
class Node;
}

namespace belfry {

// Members keep their order. A plain scalar is null, a boolean or a number where YAML 1.2's core
// schema says so; one that is quoted is always a string. `indent` 0 writes one line.
[[nodiscard]] std::string JsonOf(const YAML::Node& node, int indent);

}  // namespace belfry
