#include "http/message.h"

#include <array>

#include "http/ascii.h"

namespace belfry {

std::string_view VerbName(Verb verb) {
  constexpr std::array<std::string_view, kVerbs> kNames{"GET",   "HEAD",   "POST",    "PUT",
                                                        "PATCH", "DELETE", "OPTIONS", "OTHER"};
  return kNames[static_cast<size_t>(verb)];
}

HeaderHit FindHeader(const Request& request, std::string_view lower_name) {
  HeaderHit hit;
  for (const HeaderField& field : request.headers) {
    if (!EqualsIgnoringCase(field.name, lower_name)) continue;
    if (hit.count++ == 0) hit.value = field.value;
  }
  return hit;
}

}  // namespace belfry
