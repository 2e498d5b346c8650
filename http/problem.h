// problem.h - every error a client sees: application/problem+json (RFC 9457). Loop thread only.
//
// A kind fixes `type` (/problems/<slug>), `title` and `status`; they are part of the contract and
// do not change. `detail` is for the person who reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace belfry {

enum class ProblemKind {
  kMalformedRequest,  // 400: the bytes are not one clear HTTP request; the connection is closed
  kInvalidJson,       // 400: the body is not JSON
  kInvalidBody,       // 400: see `errors`
  kInvalidQuery,      // 400
  kInvalidHeader,     // 400
  kInvalidName,       // 400: the name in the path
  kUnauthorized,      // 401, with WWW-Authenticate
  kForbidden,         // 403
  kNotOwned,          // 403: whether somebody else owns one is not said
  kNotFound,          // 404
  kMethodNotAllowed,  // 405, with Allow
  kRequestTimeout,    // 408
  kTooLate,           // 409: the timer fires, fired or is dead; with `id` and `result`
  kNotDead,           // 409: only a dead timer is retried; with `id` and `result`
  kUserExists,        // 409
  kStreamLimit,       // 409: with `limit`, `active` and `streams`
  kTooManyPaused,     // 409: so many targets are paused by name already
  kIdempotencyInProgress,  // 409
  kBodyTooLarge,           // 413
  kUriTooLong,             // 414
  kUnsupportedMediaType,   // 415
  kExpectationFailed,      // 417
  kMisdirectedRequest,     // 421
  kIdempotencyMismatch,    // 422
  kTooManyWrongTokens,     // 429, with Retry-After
  kHeadersTooLarge,        // 431
  kReadFailed,             // 500
  kOutcomeUnknown,         // 500: it may have been stored
  kOverloaded,             // 503, with Retry-After: nothing was stored
  kStopping,               // 503, with Retry-After: nothing was stored
  kNotReady,               // 503, with Retry-After
  kNoSpace,                // 507: nothing was stored
};

// What is wrong with one member of a body; `pointer` is a JSON pointer (RFC 6901).
struct FieldError {
  std::string pointer;
  std::string detail;
};

// Why a body is refused.
struct BodyError {
  ProblemKind kind = ProblemKind::kInvalidBody;  // or kInvalidJson
  std::string detail;
  std::vector<FieldError> errors;
};

// What a client sent, when it is told again: its first kEchoedBytesMax bytes and `...`, no
// character cut in two.
[[nodiscard]] std::string Shortened(std::string_view text);

// `members` are further members of the object, as JSON text: `"id":1,"result":"fired"`.
[[nodiscard]] Response Problem(ProblemKind kind, std::string_view detail,
                               const std::vector<FieldError>& errors = {},
                               std::string_view members = {});

[[nodiscard]] int ProblemStatus(ProblemKind kind);

}  // namespace belfry
