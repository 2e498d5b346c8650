// http_chunks.h - reads streamed answers. For tests.
#pragma once

#include <string>
#include <string_view>

namespace belfry {

struct Chunks {
  std::string text;    // of all whole chunks that came
  bool ended = false;  // by the last chunk
  size_t count = 0;
};

// Of the first answer in `bytes`.
[[nodiscard]] inline Chunks ReadChunks(std::string_view bytes) {
  Chunks chunks;
  const size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) return chunks;
  bytes.remove_prefix(head + 4);
  for (;;) {
    const size_t line = bytes.find("\r\n");
    if (line == std::string_view::npos) return chunks;
    const size_t size = std::stoul(std::string(bytes.substr(0, line)), nullptr, 16);
    if (bytes.size() < line + 2 + size + 2) return chunks;
    if (size == 0) {
      chunks.ended = true;
      return chunks;
    }
    chunks.text.append(bytes.substr(line + 2, size));
    ++chunks.count;
    bytes.remove_prefix(line + 2 + size + 2);
  }
}

}  // namespace belfry
