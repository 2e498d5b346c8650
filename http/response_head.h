// response_head.h - the bytes of a response, but for what only the connection knows. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "http/message.h"

namespace belfry {

// What the connection adds to a Response.
struct Framing {
  std::string_view request_id;
  std::string_view date;     // as HttpDate gives it
  std::string_view headers;  // RequestHandler::CommonHeaders
  bool http_1_1 = true;
  bool close = false;      // the connection ends behind this response
  bool head_only = false;  // answers HEAD: the length is told, the body is not sent
  bool streamed = false;   // the body follows, its length is not known: in chunks, or up to the end
};

void AppendResponse(std::string& out, const Response& response, const Framing& framing);

[[nodiscard]] std::string_view StatusText(int status);

// `Sat, 21 Nov 2026 08:00:00 GMT`
[[nodiscard]] std::string HttpDate(WallMs t);

// A client's own request id: 1 to kRequestIdBytesMax characters of a token, or of `:/=@`.
[[nodiscard]] bool IsValidRequestId(std::string_view id);

}  // namespace belfry
