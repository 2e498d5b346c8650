// url.h - the URL of a timer: checked once, by curl's own parser, when it is set. Any thread.
//
// A normalised URL is scheme://host[:port]/path[?query]: scheme and host in lower case, the port
// only when it is not the scheme's own, no user, no fragment, dot segments resolved, bytes outside
// ASCII percent-encoded. Normalising it again changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/status.h"

namespace belfry {

// kInvalid with a message for a person, to be read after "url ": "must start with http:// ...".
// Nothing is guessed: no missing scheme, slash or host is filled in. Refused: user names, spaces,
// control characters, backslashes, zone ids, host names outside ASCII, numbers that are no address.
// Numeric spellings of IPv4 (0x7f.1, 2130706433) become the dotted quad.
[[nodiscard]] Result<std::string> NormaliseUrl(std::string_view text);

// The same by curl's parser alone, which NormaliseUrl leaves out where it would change nothing. For
// tests that compare the two.
[[nodiscard]] Result<std::string> ParseUrl(std::string_view text);

// The id joined to the path by exactly one slash, before any query:
// https://h -> https://h/7, http://h/s/ -> http://h/s/7, http://h/q?x=1 -> http://h/q/7?x=1.
// `out` is overwritten.
void JoinId(std::string_view normalised_url, TimerId id, std::string* out);

struct UrlTarget {
  std::string_view host;  // a name, a dotted quad, or IPv6 without its brackets
  uint16_t port = 0;
};

// Where a normalised URL points; the views borrow from it.
[[nodiscard]] UrlTarget TargetOfUrl(std::string_view normalised_url);

}  // namespace belfry
