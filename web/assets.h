// assets.h - the files that the daemon serves from its own memory. Any thread.
//
// web/embed.cmake writes them into the binary at build time; nothing is read from disk while it
// runs.
#pragma once

#include <span>
#include <string_view>

namespace belfry {

struct Asset {
  std::string_view path;  // "/docs"
  std::string_view content_type;
  std::string_view etag;  // with its quotes; another one for other bytes
  std::string_view bytes;
};

[[nodiscard]] std::span<const Asset> Assets();

}  // namespace belfry
