// process_cpu.h - how much processor time a process has used, all its threads together. Any thread.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace belfry {

// User and system time of this process.
[[nodiscard]] int64_t OwnCpuMicros();

// The same of another one, from /proc/<pid>/stat: exact to the kernel's clock tick, mostly 10 ms.
[[nodiscard]] Result<int64_t> CpuMicrosOf(int pid);

}  // namespace belfry
