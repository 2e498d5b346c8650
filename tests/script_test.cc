// Runs every tests/scripts/*.txt and compares what happens with what is written there.
// BELFRY_REWRITE=1 writes what happens instead: read the diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "tests/support/script_rig.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> ScriptNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(BELFRY_SCRIPTS)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// The script with what really happens under each command.
std::string Played(const std::string& script) {
  ScriptRig rig;
  std::stringstream in(script);
  std::string out;
  std::string line;
  bool expectation = false;
  while (std::getline(in, line)) {
    if (expectation) {
      if (!line.empty()) continue;
      expectation = false;
      out += "\n";
      continue;
    }
    out += line + "\n";
    if (line.empty() || line.starts_with('#')) continue;
    const std::string command = line;
    CHECK(std::getline(in, line) && line == "----");
    out += "----\n" + rig.Run(command);
    expectation = true;
  }
  return out;
}

class Script : public testing::TestWithParam<std::string> {};

TEST_P(Script, HappensAsWritten) {
  const fs::path path = fs::path(BELFRY_SCRIPTS) / (GetParam() + ".txt");
  const std::string written = ReadAll(path);
  const std::string played = Played(written);
  if (std::getenv("BELFRY_REWRITE") != nullptr) {
    std::ofstream(path) << played;
  } else {
    EXPECT_EQ(played, written);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Script, testing::ValuesIn(ScriptNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace belfry
