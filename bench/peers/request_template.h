// request_template.h - one request of any protocol, with places that differ each time. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

// In the text, `{n}` stands for the number of the request, always kNumberDigits digits with zeros
// in front, so that lengths written into the text stay true; `{left_ms}` for the milliseconds until
// a due time. Everything else is sent as it is.
class RequestTemplate {
 public:
  static constexpr size_t kNumberDigits = 12;

  explicit RequestTemplate(std::string_view text);

  // Borrowed until the next call. `number` < 10^12.
  [[nodiscard]] std::string_view Make(uint64_t number, int64_t left_ms);

 private:
  struct Piece {
    enum class Kind { kText, kNumber, kLeftMs } kind;
    std::string text;
  };
  std::vector<Piece> pieces_;
  std::string made_;
};

}  // namespace belfry
