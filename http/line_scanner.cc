#include "http/line_scanner.h"

#include <cstring>

namespace belfry {

LineScanner::Result LineScanner::Scan(std::string_view piece, size_t* used) {
  size_t at = 0;
  while (at < piece.size()) {
    if (line_bytes_ == 0 && (piece[at] == ' ' || piece[at] == '\t')) return Result::kFolded;
    const char* begin = piece.data() + at;
    const auto* feed = static_cast<const char*>(std::memchr(begin, '\n', piece.size() - at));
    const size_t bytes = feed == nullptr ? piece.size() - at : static_cast<size_t>(feed - begin);
    if (lines_ == 0) first_line_bytes_ += bytes;
    if (bytes > 0) last_ = begin[bytes - 1];
    line_bytes_ += bytes;
    at += bytes;
    if (feed == nullptr) break;
    if (line_bytes_ == 0 || last_ != '\r') return Result::kBareLineFeed;
    ++at;
    ++lines_;
    const bool empty = line_bytes_ == 1;
    line_bytes_ = 0;
    if (empty) {
      *used = at;
      return Result::kEnd;
    }
  }
  *used = piece.size();
  return Result::kMore;
}

}  // namespace belfry
