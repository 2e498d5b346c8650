#include "http/response_head.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/limits.h"
#include "http/ascii.h"

namespace belfry {

std::string_view StatusText(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      CHECK(false);
  }
}

void AppendResponse(std::string& out, const Response& response, const Framing& framing) {
  char number[24];
  const auto append_number = [&](size_t value) {
    out.append(number, std::to_chars(number, number + sizeof number, value).ptr);
  };
  out.append("HTTP/1.1 ");
  append_number(static_cast<size_t>(response.status));
  out.append(" ").append(StatusText(response.status)).append("\r\nDate: ").append(framing.date);
  if (response.content_type == ContentType::kJson) {
    out.append("\r\nContent-Type: application/json");
  } else if (response.content_type == ContentType::kProblem) {
    out.append("\r\nContent-Type: application/problem+json");
  } else if (response.content_type == ContentType::kEventStream) {
    out.append("\r\nContent-Type: text/event-stream");
  }
  if (framing.streamed) {
    if (framing.http_1_1) out.append("\r\nTransfer-Encoding: chunked");
  } else if (response.status != 204 && response.status != 304) {
    out.append("\r\nContent-Length: ");
    append_number(response.body.size());
  }
  out.append("\r\nX-Request-Id: ").append(framing.request_id);
  if (framing.close) {
    out.append("\r\nConnection: close");
  } else if (!framing.http_1_1) {
    out.append("\r\nConnection: keep-alive");
  }
  out.append("\r\n").append(response.headers).append(framing.headers).append("\r\n");
  if (!framing.head_only) out.append(response.body);
}

std::string HttpDate(WallMs t) {
  using namespace std::chrono;
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_time<milliseconds> point{milliseconds{t.ms}};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const auto second = static_cast<int>(duration_cast<seconds>(point - day).count());
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[weekday{day}.c_encoding()], unsigned(date.day()),
                kMonths[unsigned(date.month()) - 1], int(date.year()), second / 3600,
                second / 60 % 60, second % 60);
  return out;
}

bool IsValidRequestId(std::string_view id) {
  const auto allowed = [](char c) {
    return IsTokenChar(c) || c == ':' || c == '/' || c == '=' || c == '@';
  };
  return !id.empty() && id.size() <= kRequestIdBytesMax &&
         std::all_of(id.begin(), id.end(), allowed);
}

}  // namespace belfry
