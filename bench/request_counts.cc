#include "bench/request_counts.h"

#include <fstream>

#include "bench/arrivals.h"

namespace belfry {

void RequestCounts::Add(std::string_view target, bool answered) {
  const uint64_t id = TimerIdIn(target);
  if (id == 0) {
    ++unknown_;
    return;
  }
  Count& count = by_id_[id];
  if (count.answered > 0) ++duplicates_;
  ++(answered ? count.answered : count.unanswered);
  ++(answered ? answered_ : unanswered_);
}

Status RequestCounts::WriteTo(const std::string& path) const {
  std::ofstream file(path);
  for (const auto& [id, count] : by_id_) {
    file << id << ' ' << count.answered << ' ' << count.unanswered << '\n';
  }
  file.close();
  return file ? Status{} : IoError("cannot write " + path);
}

}  // namespace belfry
