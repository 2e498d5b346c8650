// stream_sim.h - players within the simulated daemon, and the rules that their slots must keep. The
// World says what happens to the store; see world.h.
//
// Rules: L1 an answer is given for what is durable, says what was, and that is there after every
// crash: no acknowledged stream or heartbeat is lost. L2 a user never has more streams alive than
// the limit. L3 a lapse is told once, of each lease that lapsed and is to tell of it, and of none
// that was ended or renewed. L4 a read is what is stored, and so is the list
// that a refused start is answered with. L5 a deadline is not met before its time.
// L6 nothing is started or renewed by a clock that cannot be right. L7 a player who was told that
// their stream is over is never told otherwise. L8 what ends something is not refused while the
// store works, and a heartbeat only when too many wait. L9 a deadline that is due is met at once, a
// second late at most when timers wait for room, and none is left in the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scheduler/engine.h"
#include "storage/kv.h"
#include "tests/sim/stream_model.h"

namespace belfry::sim {

class StreamSim {
 public:
  explicit StreamSim(uint64_t seed);

  [[nodiscard]] StreamsOptions Options();

  // The daemon has started; both outlive the run.
  void Opened(Engine* engine, const Kv& kv);
  void Step(WallMs now);  // one player does something
  // `instead`: the time that counts while the clock cannot be right; else nullopt.
  void Asked(const Op& op, WallMs now, std::optional<WallMs> instead);
  // Handed to the store with the next group, in this order; then what came of it.
  void Given(const Op& op);
  void Applied(const std::vector<Completion>& done, bool ok);
  void HandedBack(const Completion& done);
  void WasRead(const Query& query, const QueryResult& result);
  // True: it was one of ours.
  bool Answered(const Reply& reply);
  void Crashed();

  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  [[nodiscard]] bool waiting() const { return !asked_.empty(); }
  // As the store has them.
  [[nodiscard]] std::map<TimerId, Key> Deadlines() const;
  // But for those that were moved by ops that are not handed back yet.
  [[nodiscard]] std::map<TimerId, Key> KnownDeadlines() const;
  [[nodiscard]] uint64_t lapses() const { return lapses_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }
  [[nodiscard]] uint64_t renewals() const { return renewals_; }
  [[nodiscard]] uint64_t moved() const { return moved_; }

 private:
  struct Stream {
    StreamModel::Name user;
    StreamId id;
  };
  enum class Ask { kPut, kStart, kRenew, kEnd, kRead };
  struct Request {
    Ask ask = Ask::kRead;
    Stream stream{};  // kRenew
  };
  // What came of an op, by the rules.
  struct Done {
    OpResult result;
    StreamModel::Answer answer;
    std::vector<StreamId> playing{};  // kFull
  };

  [[nodiscard]] uint64_t Random(uint64_t below) { return random_() % below; }
  void Fail(const std::string& what) {
    if (!violation_) violation_ = what;
  }
  [[nodiscard]] ReplyToken Expect(Request request);
  void Start(ReplyToken token, const StreamModel::Name& user, WallMs now);
  [[nodiscard]] Stream AnyStream();
  void CheckApplied(const Op& op, const Completion& done);
  void CheckRefused(const Request& request, Refusal refusal);
  void CheckRenewed(const Stream& stream, const Reply& reply);
  // nullopt: it says something else.
  [[nodiscard]] static std::optional<Done> Said(const Reply& reply);
  void CheckCall(const Op& op, const Timer* call);
  void CheckLimits(WallMs now);
  [[nodiscard]] std::optional<UserView> ViewOf(const StreamModel::Name& user, WallMs now) const;
  [[nodiscard]] bool Matches(const StreamModel& model) const;

  std::mt19937_64 random_;
  const uint32_t limit_;
  const bool require_user_;
  const size_t ops_max_;
  const size_t lists_max_;
  Engine* engine_ = nullptr;
  const Kv* kv_ = nullptr;
  StreamModel model_;
  std::vector<Op> given_;               // and not known to be applied
  std::map<ReplyToken, Done> durable_;  // ops that are applied and not answered
  std::map<ReplyToken, Request> asked_;
  std::map<ReplyToken, std::vector<StreamId>> shown_;      // read for these and not answered
  std::multiset<TimerId> moving_;                          // by ops that are not handed back
  std::set<std::pair<StreamModel::Name, StreamId>> over_;  // as their players know
  std::vector<Stream> started_;                            // ever, as players know them
  std::set<StreamId> told_;
  std::optional<WallMs> started_at_;  // the last start, if its group was not looked at yet
  ReplyToken next_token_ = ReplyToken{1} << 41;
  uint64_t lapses_ = 0;
  uint64_t refused_ = 0;
  uint64_t renewals_ = 0;
  uint64_t moved_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace belfry::sim
