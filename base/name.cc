#include "base/name.h"

#include <cstddef>
#include <cstdint>

#include "base/limits.h"

namespace belfry {
namespace {

struct Lead {
  size_t following;    // bytes
  uint32_t bits;       // of the code point
  uint32_t least = 0;  // code point that needs so many bytes
};

bool ReadLead(uint8_t byte, Lead* lead) {
  if (byte < 0x80) {
    *lead = {0, byte, 0};
  } else if (byte >= 0xc2 && byte < 0xe0) {
    *lead = {1, byte & 0x1fu, 0x80};
  } else if (byte >= 0xe0 && byte < 0xf0) {
    *lead = {2, byte & 0x0fu, 0x800};
  } else if (byte >= 0xf0 && byte < 0xf5) {
    *lead = {3, byte & 0x07u, 0x10000};
  } else {
    return false;
  }
  return true;
}

bool IsControl(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

// Takes one code point off the front; false: it is not UTF-8, or a control character.
bool TakeCharacter(std::string_view& text) {
  Lead lead{};
  if (!ReadLead(static_cast<uint8_t>(text[0]), &lead)) return false;
  if (text.size() <= lead.following) return false;
  uint32_t code = lead.bits;
  for (size_t i = 1; i <= lead.following; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return false;
    code = (code << 6) | (byte & 0x3f);
  }
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < lead.least || surrogate || code > 0x10ffff || IsControl(code)) return false;
  text.remove_prefix(1 + lead.following);
  return true;
}

}  // namespace

bool IsName(std::string_view text) {
  if (text.empty() || text.size() > kUserNameBytesMax) return false;
  size_t characters = 0;
  while (!text.empty()) {
    if (++characters > kUserNameCharsMax || !TakeCharacter(text)) return false;
  }
  return true;
}

}  // namespace belfry
