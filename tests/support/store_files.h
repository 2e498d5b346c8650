// store_files.h - files as bytes, to damage them and put them back. For tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/check.h"

namespace belfry {

using Tree = std::map<std::string, std::string>;  // path below the root -> content

inline std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  CHECK(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  CHECK(out.good());
}

inline Tree ReadTree(const std::string& root) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    tree[std::filesystem::relative(entry.path(), root)] = ReadBytes(entry.path());
  }
  return tree;
}

// Replaces everything below `root`.
inline void WriteTree(const std::string& root, const Tree& tree) {
  std::filesystem::remove_all(root);
  for (const auto& [name, bytes] : tree) WriteBytes(root + "/" + name, bytes);
}

// What is below `prefix`, with names from there.
inline Tree SubTree(const Tree& tree, const std::string& prefix) {
  Tree out;
  for (const auto& [name, bytes] : tree) {
    if (name.rfind(prefix, 0) == 0) out[name.substr(prefix.size())] = bytes;
  }
  return out;
}

// The one RocksDB log that holds something.
inline std::string OnlyLogOf(const std::string& db) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(db)) {
    if (entry.path().extension() != ".log" || entry.file_size() == 0) continue;
    CHECK(found.empty());
    found = entry.path();
  }
  CHECK(!found.empty());
  return found;
}

}  // namespace belfry
