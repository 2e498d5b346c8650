// line_scanner.h - finds the end of a block of header lines, and refuses what other servers might
// read differently: a line feed without its carriage return, and folded lines.
//
// Takes the bytes in pieces of any size. One block at a time; Reset() between blocks.
#pragma once

#include <cstddef>
#include <string_view>

namespace belfry {

class LineScanner {
 public:
  enum class Result { kMore, kEnd, kBareLineFeed, kFolded };

  // Looks at the next bytes of the block. kEnd: an empty line ended it and `*used` bytes of `piece`
  // belong to it; else all of them do.
  [[nodiscard]] Result Scan(std::string_view piece, size_t* used);
  void Reset() { *this = LineScanner(); }

  // Complete lines so far, the empty one included.
  [[nodiscard]] size_t lines() const { return lines_; }
  // Bytes of the first line so far.
  [[nodiscard]] size_t first_line_bytes() const { return first_line_bytes_; }

 private:
  size_t lines_ = 0;
  size_t line_bytes_ = 0;  // of the line that has not ended
  size_t first_line_bytes_ = 0;
  char last_ = '\0';
};

}  // namespace belfry
