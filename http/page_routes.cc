#include "http/page_routes.h"

#include <string>
#include <string_view>

#include "http/ascii.h"
#include "web/assets.h"

namespace belfry {
namespace {

// Whatever finds its way into a page, the browser loads and sends only what is ours.
constexpr std::string_view kPagePolicy =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

// If-None-Match is `*` or a list of tags, of which weak ones count too (RFC 9110, 13.1.2).
bool IsNamed(std::string_view tags, std::string_view etag) {
  while (!tags.empty()) {
    const size_t comma = tags.find(',');
    std::string_view tag = TrimBlanks(tags.substr(0, comma));
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag || tag == "*") return true;
    tags.remove_prefix(comma == std::string_view::npos ? tags.size() : comma + 1);
  }
  return false;
}

bool ClientHas(const Request& request, std::string_view etag) {
  for (const HeaderField& header : request.headers) {
    if (EqualsIgnoringCase(header.name, "if-none-match") && IsNamed(header.value, etag)) {
      return true;
    }
  }
  return false;
}

Response Serve(const Request& request, const Asset& asset) {
  Response response;
  response.content_type = ContentType::kNone;
  response.headers.append("ETag: ").append(asset.etag);
  response.headers +=
      "\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
      "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n";
  if (asset.content_type.starts_with("text/html")) response.headers += kPagePolicy;
  if (ClientHas(request, asset.etag)) {
    response.status = 304;
    return response;
  }
  response.headers.append("Content-Type: ").append(asset.content_type).append("\r\n");
  response.body = asset.bytes;
  return response;
}

}  // namespace

void RegisterPageRoutes(Router& router) {
  for (const Asset& asset : Assets()) {
    router.AddPublic(asset.path, {.verb = Verb::kGet, .handler = [&asset](const PublicCall& call) {
                                    Respond(call.to, Serve(call.request, asset));
                                  }});
  }
}

}  // namespace belfry
