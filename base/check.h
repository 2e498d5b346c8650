// check.h - CHECK stays on in release: a broken invariant aborts, and the store tells the truth at
// the next start. Any thread.
#pragma once

namespace belfry {

#ifdef BELFRY_PLANTED_BUGS
// Thrown instead of the abort, so that a test can count it.
struct CheckFailure {
  const char* what;
};
#endif

// Writes "file:line: check failed: what" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

}  // namespace belfry

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::belfry::CheckFailed(__FILE__, __LINE__, #condition))
