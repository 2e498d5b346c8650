// script_rig.h - runs one command of a text script against the scheduler and the ledger in memory,
// and says in words what came of it. Times are printed relative to the script's start.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"

namespace belfry {

class ScriptRig {
 public:
  ScriptRig();

  // `line` as in tests/scripts/README.md. What it brought about, a line each.
  std::string Run(const std::string& line);

 private:
  using Words = std::vector<std::string>;

  void Open();
  void Do(const Words& words);
  void DoSet(const Words& words);
  void DoOutcome(const Words& words);
  void DoReplayRange(const Words& words);
  // True: it was about a user or a stream.
  bool DoStream(const Words& words);
  [[nodiscard]] StreamsOptions SlotOptions();
  void Apply();
  void Complete();
  void Answer();
  void Report();
  void Say(const std::string& line) { out_ += line + "\n"; }
  [[nodiscard]] std::string Describe(const Op& op) const;
  [[nodiscard]] std::string Describe(const TargetView& view) const;
  [[nodiscard]] static std::string Describe(const Reply& reply);
  // "": it is about something else.
  [[nodiscard]] std::string DescribeStream(const Op& op) const;
  [[nodiscard]] std::string DescribeStream(const Reply& reply) const;
  [[nodiscard]] std::string At(WallMs t) const;

  TimersOptions options_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<Ledger> store_;
  std::unique_ptr<Engine> engine_;
  Timers* timers_ = nullptr;  // of engine_
  WallMs now_;
  MonoMs mono_;  // as now_, but for steps of the clock
  std::vector<Op> at_store_;
  std::vector<Completion> completed_;
  std::vector<Query> queries_;
  ReplyToken next_token_ = 1;
  uint64_t random_ = 0;
  std::string last_wake_;
  std::string out_;
};

}  // namespace belfry
