#include "bench/arrival_log.h"

#include <fstream>

namespace belfry {

void ArrivalLog::Add(std::string_view target, int64_t arrived_wall_ns) {
  lines_.append(std::to_string(arrived_wall_ns)).append(1, ' ').append(target).append(1, '\n');
}

Status ArrivalLog::WriteTo(const std::string& path) const {
  std::ofstream file(path);
  file << lines_;
  file.close();
  return file ? Status{} : IoError("cannot write " + path);
}

}  // namespace belfry
