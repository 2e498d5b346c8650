// Runs at build time: make_pages OPENAPI.YAML OPENAPI.JSON DOCS.HTML writes the last two.
#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "web/pages/docs_page.h"
#include "web/pages/openapi_json.h"

namespace {

bool WriteFile(const char* path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  return file.good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: make_pages OPENAPI.YAML OPENAPI.JSON DOCS.HTML\n");
    return 2;
  }
  try {
    const YAML::Node description = YAML::LoadFile(argv[1]);
    if (WriteFile(argv[2], belfry::JsonOf(description, 0)) &&
        WriteFile(argv[3], belfry::DocsPage(description))) {
      return 0;
    }
    std::fprintf(stderr, "make_pages: cannot write %s or %s\n", argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_pages: %s: %s\n", argv[1], error.what());
  }
  return 1;
}
