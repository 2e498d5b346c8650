#include "bench/peers/request_template.h"

#include <algorithm>

#include "base/check.h"

namespace belfry {
namespace {

constexpr std::string_view kNumberMark = "{n}";
constexpr std::string_view kLeftMark = "{left_ms}";

}  // namespace

RequestTemplate::RequestTemplate(std::string_view text) {
  while (!text.empty()) {
    const size_t number = text.find(kNumberMark);
    const size_t left = text.find(kLeftMark);
    const size_t at = std::min({number, left, text.size()});
    if (at > 0) pieces_.push_back({Piece::Kind::kText, std::string(text.substr(0, at))});
    text.remove_prefix(at);
    if (text.empty()) return;
    const bool is_number = at == number;
    pieces_.push_back({is_number ? Piece::Kind::kNumber : Piece::Kind::kLeftMs, ""});
    text.remove_prefix(is_number ? kNumberMark.size() : kLeftMark.size());
  }
}

std::string_view RequestTemplate::Make(uint64_t number, int64_t left_ms) {
  made_.clear();
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Piece::Kind::kText:
        made_ += piece.text;
        break;
      case Piece::Kind::kNumber: {
        const std::string digits = std::to_string(number);
        CHECK(digits.size() <= kNumberDigits);
        made_.append(kNumberDigits - digits.size(), '0').append(digits);
        break;
      }
      case Piece::Kind::kLeftMs:
        made_ += std::to_string(left_ms);
        break;
    }
  }
  return made_;
}

}  // namespace belfry
