#include "http/problem.h"

#include "base/check.h"
#include "base/limits.h"
#include "http/json_writer.h"

namespace belfry {
namespace {

struct Kind {
  ProblemKind kind;
  int status;
  std::string_view slug;
  std::string_view title;
};

constexpr Kind kKinds[] = {
    {ProblemKind::kMalformedRequest, 400, "malformed-request", "Malformed request"},
    {ProblemKind::kInvalidJson, 400, "invalid-json", "Invalid JSON"},
    {ProblemKind::kInvalidBody, 400, "invalid-body", "Invalid body"},
    {ProblemKind::kInvalidQuery, 400, "invalid-query", "Invalid query"},
    {ProblemKind::kInvalidHeader, 400, "invalid-header", "Invalid header"},
    {ProblemKind::kInvalidName, 400, "invalid-name", "Invalid name"},
    {ProblemKind::kUnauthorized, 401, "unauthorized", "Unauthorized"},
    {ProblemKind::kForbidden, 403, "forbidden", "Forbidden"},
    {ProblemKind::kNotOwned, 403, "not-owned", "Not owned"},
    {ProblemKind::kNotFound, 404, "not-found", "Not found"},
    {ProblemKind::kMethodNotAllowed, 405, "method-not-allowed", "Method not allowed"},
    {ProblemKind::kRequestTimeout, 408, "request-timeout", "Request timeout"},
    {ProblemKind::kTooLate, 409, "too-late", "Too late"},
    {ProblemKind::kNotDead, 409, "not-dead", "Not dead"},
    {ProblemKind::kUserExists, 409, "user-exists", "User exists"},
    {ProblemKind::kStreamLimit, 409, "stream-limit", "Stream limit reached"},
    {ProblemKind::kTooManyPaused, 409, "too-many-paused", "Too many targets are paused"},
    {ProblemKind::kIdempotencyInProgress, 409, "idempotency-in-progress", "Still in progress"},
    {ProblemKind::kBodyTooLarge, 413, "body-too-large", "Body too large"},
    {ProblemKind::kUriTooLong, 414, "uri-too-long", "URI too long"},
    {ProblemKind::kUnsupportedMediaType, 415, "unsupported-media-type", "Unsupported media type"},
    {ProblemKind::kExpectationFailed, 417, "expectation-failed", "Expectation failed"},
    {ProblemKind::kMisdirectedRequest, 421, "misdirected-request", "Misdirected request"},
    {ProblemKind::kIdempotencyMismatch, 422, "idempotency-mismatch", "Idempotency key reused"},
    {ProblemKind::kTooManyWrongTokens, 429, "too-many-wrong-tokens", "Too many wrong tokens"},
    {ProblemKind::kHeadersTooLarge, 431, "headers-too-large", "Headers too large"},
    {ProblemKind::kReadFailed, 500, "read-failed", "Read failed"},
    {ProblemKind::kOutcomeUnknown, 500, "outcome-unknown", "Outcome unknown"},
    {ProblemKind::kOverloaded, 503, "overloaded", "Overloaded"},
    {ProblemKind::kStopping, 503, "stopping", "Stopping"},
    {ProblemKind::kNotReady, 503, "not-ready", "Not ready"},
    {ProblemKind::kNoSpace, 507, "no-space", "No space"},
};

const Kind& KindOf(ProblemKind kind) {
  const Kind& found = kKinds[static_cast<size_t>(kind)];
  CHECK(found.kind == kind);
  return found;
}

}  // namespace

std::string Shortened(std::string_view text) {
  if (text.size() <= kEchoedBytesMax) return std::string(text);
  size_t end = kEchoedBytesMax;
  const auto continues = [&](size_t at) { return (text[at] & 0xc0) == 0x80; };
  while (end > kEchoedBytesMax - 3 && continues(end)) --end;
  return std::string(text.substr(0, end)) + "...";
}

int ProblemStatus(ProblemKind kind) { return KindOf(kind).status; }

Response Problem(ProblemKind kind, std::string_view detail, const std::vector<FieldError>& errors,
                 std::string_view members) {
  const Kind& what = KindOf(kind);
  Response response;
  response.status = what.status;
  response.content_type = ContentType::kProblem;
  std::string& body = response.body;
  body = "{\"type\":\"/problems/";
  body.append(what.slug).append("\",\"title\":\"").append(what.title).append("\",\"status\":");
  body.append(std::to_string(what.status)).append(",\"detail\":");
  AppendJsonString(body, detail);
  if (!errors.empty()) {
    body += ",\"errors\":";
    JsonWriter json(body);
    json.Open('[');
    for (const FieldError& error : errors) {
      json.Open('{').Key("pointer").String(error.pointer);
      json.Key("detail").String(error.detail).Close('}');
    }
    json.Close(']');
  }
  if (!members.empty()) body.append(",").append(members);
  body += '}';
  if (kind == ProblemKind::kOverloaded || kind == ProblemKind::kStopping ||
      kind == ProblemKind::kNotReady) {
    response.headers = "Retry-After: 1\r\n";
  }
  return response;
}

}  // namespace belfry
