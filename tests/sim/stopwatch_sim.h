// stopwatch_sim.h - clients of the stopwatches within the simulated daemon, and the rules that what
// they see must keep. The World says what happens to the store; see world.h.
//
// Rules: S1 an answer is given for what is durable, and that is there after every crash. S2 a list
// is what the model says at the moment of the read. S3 elapsed is never negative, and within one
// run never less than it was seen before. S4 a subscriber that has taken all there is knows what
// the model says of what it subscribed to. S5 it hears nothing of a name that it gave up, nor of
// what others did with one before its tenant owned it. S6 nothing is measured with a clock that
// cannot be right.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/engine.h"
#include "storage/store.h"
#include "tests/sim/stopwatch_model.h"

namespace belfry::sim {

class StopwatchSim {
 public:
  explicit StopwatchSim(uint64_t seed);

  [[nodiscard]] static size_t EventsMax(uint64_t seed) { return 1 + seed % 7; }

  // The daemon has started; both outlive the run.
  void Opened(Engine* engine, const Store& store);
  // One client does something. `clock_sane`: the daemon's clock can be right, or could once.
  void Step(MonoMs mono, bool clock_sane);
  // Handed to the store with the next group, in this order; then what came of it.
  void Given(const Op& op);
  void Applied(const std::vector<Completion>& done, bool ok);
  void HandedBack(const Completion& done);  // just before the scheduler is told
  void WasRead(const Query& query, const QueryResult& result);
  // True: it was one of ours.
  bool Answered(const Reply& reply);
  void Crashed();
  // Nothing is on its way any more: subscribers take all they can, and must know what is.
  void Settled(MonoMs mono);

  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  [[nodiscard]] bool waiting() const { return !asked_.empty(); }
  [[nodiscard]] uint64_t snapshots() const { return snapshots_; }
  [[nodiscard]] uint64_t resumes() const { return resumes_; }
  [[nodiscard]] uint64_t events() const { return events_; }

 private:
  struct Subscriber {
    StopwatchFeed::Wish wish;
    bool connected = false;
    uint64_t connection = 0;
    bool ready = false;             // the snapshot has come, or it resumed
    std::optional<uint64_t> heard;  // where it resumes, in this run
    uint64_t last = 0;              // number of the last it took on this connection
    std::set<std::string> gave_up;  // since it connected
    StopwatchModel::Rows knows;
    std::optional<StopwatchQuery> paging;
  };
  struct Asked {
    bool op = false;
    bool started = false;
    int subscriber = -1;  // whose snapshot
    uint64_t connection = 0;
    std::optional<StopwatchQuery> query;
    bool clock_wrong = false;
  };

  [[nodiscard]] uint64_t Random(uint64_t below) { return random_() % below; }
  [[nodiscard]] ReplyToken Expect(Asked asked);
  [[nodiscard]] StopwatchFeed::Wish RandomWish();
  void Fail(const std::string& what) {
    if (!violation_) violation_ = what;
  }
  void Change(TenantId tenant, const std::string& name, bool starts, MonoMs mono);
  void ChangeOne(MonoMs mono);
  void LoseAndTakeAName(int who, MonoMs mono);
  [[nodiscard]] TenantId AnyTenant();
  void Connect(int who);
  void Disconnect(int who);
  void AskPage(int who);
  void TakeSome(int who, uint64_t most);
  void Hear(Subscriber& subscriber, const StopwatchEvent& event, bool complete);
  void TakePage(const Asked& asked, const StopwatchListReply& reply);
  void CheckElapsed(const StopwatchListReply& reply);
  void CheckKnows(const Subscriber& subscriber);
  [[nodiscard]] bool Matches(const StopwatchModel& model);

  std::mt19937_64 random_;
  Engine* engine_ = nullptr;
  const Store* store_ = nullptr;
  StopwatchModel model_;
  std::vector<Op> given_;         // and not known to be applied
  std::set<ReplyToken> durable_;  // ops that are applied and not answered
  std::map<ReplyToken, Asked> asked_;
  std::map<StopwatchModel::Rows::value_type, int64_t> elapsed_;  // as last seen in this run
  std::vector<Subscriber> subscribers_;
  uint64_t changes_ = 0;  // in this run: the number of the latest event
  std::map<std::pair<TenantId, std::string>, uint64_t> owned_since_;  // created in this run
  ReplyToken next_token_ = ReplyToken{1} << 40;
  uint64_t connections_ = 0;
  bool clock_wrong_ = false;
  uint64_t snapshots_ = 0;
  uint64_t resumes_ = 0;
  uint64_t events_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace belfry::sim
