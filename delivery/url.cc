#include "delivery/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "base/decimal.h"
#include "base/limits.h"
#include "delivery/ip_address.h"

namespace belfry {
namespace {

constexpr size_t kHostBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

using ParsedUrl = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ToLower);
  return out;
}

Status CheckBytes(std::string_view text) {
  if (text.empty()) return Invalid("is empty");
  if (text.size() > kUrlBytesMax) {
    return Invalid("is longer than " + std::to_string(kUrlBytesMax) + " bytes");
  }
  for (const char c : text) {
    if (c == ' ') return Invalid("contains a space; write %20");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Invalid("contains a control character");
    }
    if (c == '\\') return Invalid("contains a backslash");
  }
  return {};
}

// curl forgives http:/host and http:///host, and takes the last of several @ for the user's end.
Status CheckShape(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string scheme = Lower(text.substr(0, colon));
  const bool is_scheme = colon != std::string_view::npos && colon > 0 &&
                         text.substr(colon, 3) == "://" && IsAlpha(text[0]);
  if (!is_scheme) return Invalid("must start with http:// or https://");
  if (scheme != "http" && scheme != "https") {
    return Invalid("must start with http:// or https://, not " + scheme.substr(0, 20) + "://");
  }
  const std::string_view rest = text.substr(colon + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty()) return Invalid("has no host");
  if (authority.find('@') != std::string_view::npos) {
    return Invalid("must not contain a user name or a password");
  }
  return {};
}

std::string MessageFor(CURLUcode code) {
  switch (code) {
    case CURLUE_BAD_PORT_NUMBER:
      return "has a port that is not a number from 1 to 65535";
    case CURLUE_UNSUPPORTED_SCHEME:
    case CURLUE_BAD_SCHEME:
    case CURLUE_BAD_SLASHES:
      return "must start with http:// or https://";
    case CURLUE_USER_NOT_ALLOWED:
      return "must not contain a user name or a password";
    case CURLUE_NO_HOST:
      return "has no host";
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
    case CURLUE_BAD_LOGIN:
      return "has a host name that is not valid";
    default:
      return std::string("is not valid: ") + curl_url_strerror(code);
  }
}

// nullopt when the URL has no such part.
std::optional<std::string> Part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string out(text);
  curl_free(text);
  return out;
}

// As a browser decides it: a name whose last label is a number is meant as an address.
bool LooksNumeric(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (std::all_of(last.begin(), last.end(), IsDigit)) return true;
  return last.size() >= 2 && last[0] == '0' && last[1] == 'x' &&
         last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  size_t label = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    if (!IsAlpha(c) && !IsDigit(c) && c != '-' && c != '_') return false;
    if (++label > kLabelBytesMax) return false;
  }
  return label > 0 && !LooksNumeric(host);
}

// The host as it is stored, brackets included.
Result<std::string> NormaliseHost(std::string host, bool has_zone) {
  if (has_zone) return Invalid("must not contain a zone id");
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const std::string inner = host.substr(1, host.size() - 2);
    const auto ip = ParseIp(inner);
    if (!ip || inner.find(':') == std::string::npos) {
      return Invalid("has a host name that is not valid");
    }
    // A mapped address keeps its spelling's family, so that Host and certificate checks see it.
    return ip->v6 ? "[" + FormatIp(*ip) + "]" : "[::ffff:" + FormatIp(*ip) + "]";
  }
  host = Lower(host);
  if (!host.empty() && host.back() == '.') host.pop_back();
  if (const auto ip = ParseIp(host); ip && !ip->v6) return host;
  const bool ascii = std::all_of(host.begin(), host.end(), [](char c) { return c > 0; });
  if (!ascii) return Invalid("has a host name outside ASCII; write its xn-- form");
  if (!IsHostName(host)) return Invalid("has a host name that is not valid");
  return host;
}

bool IsPlainHost(std::string_view host) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '.' || c == '-';
  };
  if (!std::all_of(host.begin(), host.end(), plain)) return false;
  if (!LooksNumeric(host)) return IsHostName(host);
  // Without a colon it is IPv4, which has one spelling only.
  return ParseIp(host).has_value();
}

bool IsPlainPort(std::string_view port, bool https) {
  constexpr size_t kDigitsMax = 5;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return port.size() <= kDigitsMax && error == std::errc() && end == port.data() + port.size() &&
         port[0] != '0' && number <= UINT16_MAX && number != (https ? 443 : 80);
}

bool IsPlainPath(std::string_view path) {
  if (path.empty() || path[0] != '/') return false;
  const size_t question = path.find('?');
  if (question != std::string_view::npos && question + 1 == path.size()) return false;
  char before = '/';
  for (size_t i = 1; i < path.size(); ++i) {
    const char c = path[i];
    const bool in_query = i > question;
    if (c == '.' && before == '/' && !in_query) return false;  // maybe a dot segment
    const bool plain = IsAlpha(c) || IsDigit(c) || c == '/' || c == '-' || c == '_' || c == '.' ||
                       i == question || (in_query && (c == '=' || c == '&'));
    if (!plain) return false;
    before = c;
  }
  return true;
}

// Most URLs are already as curl's parser would leave them, and cost as much to parse as the rest of
// their timer. True only where nothing can differ; url_test compares the two ways.
bool IsPlain(std::string_view text) {
  const bool https = text.starts_with("https://");
  if (!https && !text.starts_with("http://")) return false;
  const std::string_view rest = text.substr(https ? 8 : 7);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const size_t colon = authority.find(':');
  return text.size() <= kUrlBytesMax && IsPlainHost(authority.substr(0, colon)) &&
         (colon == std::string_view::npos || IsPlainPort(authority.substr(colon + 1), https)) &&
         IsPlainPath(rest.substr(authority.size()));
}

Result<std::string> NormalisePort(CURLU* url) {
  const auto port = Part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  if (!port) return std::string();
  if (*port == "0") return Invalid("has a port that is not a number from 1 to 65535");
  return ":" + *port;
}

}  // namespace

Result<std::string> NormaliseUrl(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  return ParseUrl(text);
}

Result<std::string> ParseUrl(std::string_view text) {
  if (Status s = CheckBytes(text); !s.ok()) return s;
  if (Status s = CheckShape(text); !s.ok()) return s;

  const ParsedUrl url(curl_url(), &curl_url_cleanup);
  CHECK(url != nullptr);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(),
                                      CURLU_DISALLOW_USER | CURLU_URLENCODE);
  if (code != CURLUE_OK) return Invalid(MessageFor(code));

  const auto scheme = Part(url.get(), CURLUPART_SCHEME);
  const auto host = Part(url.get(), CURLUPART_HOST);
  const auto path = Part(url.get(), CURLUPART_PATH);
  const auto query = Part(url.get(), CURLUPART_QUERY);
  if (!scheme || !host || !path) return Invalid("is not valid");
  const bool has_zone = Part(url.get(), CURLUPART_ZONEID).has_value();
  auto normal_host = NormaliseHost(*host, has_zone);
  if (!normal_host.ok()) return normal_host.status();
  auto port = NormalisePort(url.get());
  if (!port.ok()) return port.status();

  std::string out = Lower(*scheme) + "://" + *normal_host + *port + *path;
  if (query && !query->empty()) out += "?" + *query;
  if (out.size() > kUrlBytesMax) {
    return Invalid("is longer than " + std::to_string(kUrlBytesMax) + " bytes when encoded");
  }
  return out;
}

void JoinId(std::string_view normalised_url, TimerId id, std::string* out) {
  const std::string_view before = normalised_url.substr(0, normalised_url.find('?'));
  out->assign(before);
  if (out->empty() || out->back() != '/') *out += '/';
  AppendDecimal(id, out);
  *out += normalised_url.substr(before.size());
}

UrlTarget TargetOfUrl(std::string_view normalised_url) {
  const size_t start = normalised_url.find("://") + 3;
  const std::string_view rest = normalised_url.substr(start);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  UrlTarget target;
  target.port = normalised_url.substr(0, 5) == "https" ? 443 : 80;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    target.host = authority.substr(1, end - 1);
    port = authority.substr(std::min(end + 1, authority.size()));
  } else {
    const size_t colon = authority.find(':');
    target.host = authority.substr(0, colon);
    port = colon == std::string_view::npos ? "" : authority.substr(colon);
  }
  if (port.size() > 1) std::from_chars(port.data() + 1, port.data() + port.size(), target.port);
  return target;
}

}  // namespace belfry
