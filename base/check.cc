#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace belfry {

void CheckFailed(const char* file, int line, const char* what) {
#ifdef BELFRY_PLANTED_BUGS
  static_cast<void>(file), static_cast<void>(line);
  throw CheckFailure{what};
#else
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
#endif
}

}  // namespace belfry
