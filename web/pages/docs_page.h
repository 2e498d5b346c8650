// docs_page.h - openapi.yaml as a page for people. Runs at build time only.
#pragma once

#include <string>

namespace YAML {
class Node;
}

namespace belfry {

// The whole of /docs: plain HTML that needs /docs.css and nothing else. Every operation, webhook
// and schema has an anchor.
[[nodiscard]] std::string DocsPage(const YAML::Node& description);

}  // namespace belfry
