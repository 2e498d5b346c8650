// progress.h - one line on stderr about how far a run is. One thread.
//
// At a terminal the line is rewritten in place five times a second; elsewhere a line comes every
// five seconds, so that a log stays short.
#pragma once

#include <cstdint>
#include <string>

namespace belfry {

class Progress {
 public:
  Progress();
  ~Progress();  // takes the line away at a terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `doing` is a word or two. `left_ms` < 0: nobody knows. Call it as often as you like.
  void Show(const std::string& doing, double per_second, int64_t left_ms, uint64_t errors);

 private:
  const bool terminal_;
  const int64_t start_ms_;
  int64_t shown_ms_;
  bool line_open_ = false;
};

}  // namespace belfry
