// stream_model.h - users and streams as their rules say, op by op; what the ledger is compared
// with. Nothing of storage/ is used for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/op.h"
#include "base/stream.h"

namespace belfry::sim {

class StreamModel {
 public:
  using Name = std::pair<TenantId, std::string>;
  struct User {
    std::optional<uint32_t> limit;
    WallMs last_online;
    friend bool operator==(const User&, const User&) = default;
  };
  struct Held {  // a lease whose deadline is there
    Name user;
    StreamId id;
    WallMs expires_at;
    int64_t ttl_ms = 0;
    bool calls = false;
    bool named = true;  // has a slot
    WallMs due;         // of its deadline
    friend bool operator==(const Held&, const Held&) = default;
  };
  // What the last op has to say, as StreamResult.
  struct Answer {
    uint32_t limit = 0;
    size_t active = 0;
    std::vector<StreamId> evicted;
    WallMs expires_at;
    friend bool operator==(const Answer&, const Answer&) = default;
  };
  // Of what an op says.
  [[nodiscard]] static Answer AnswerOf(const StreamResult& result);

  // The result the op has to have. Of other ops: kDone.
  OpResult Do(const Op& op);

  [[nodiscard]] const std::map<TimerId, Held>& leases() const { return leases_; }
  [[nodiscard]] const std::map<Name, User>& users() const { return users_; }
  // In the order of their starts.
  [[nodiscard]] std::vector<TimerId> Named(const Name& user) const;
  [[nodiscard]] std::vector<StreamId> NamedIds(const Name& user) const;
  // Of these, those that are alive.
  [[nodiscard]] std::vector<StreamId> Alive(const Name& user, WallMs now) const;
  [[nodiscard]] const Answer& answer() const { return answer_; }
  // Whose lapse the last op tells of.
  [[nodiscard]] const std::optional<Held>& told() const { return told_; }
  friend bool operator==(const StreamModel& a, const StreamModel& b) {
    return a.users_ == b.users_ && a.leases_ == b.leases_;
  }

 private:
  OpResult Do(const PutUserOp& op);
  OpResult Do(const DeleteUserOp& op);
  OpResult Do(const StartStreamOp& op);
  OpResult Do(const RenewStreamOp& op);
  OpResult Do(const EndStreamOp& op);
  OpResult Do(const LapseStreamOp& op);
  template <typename Other>
  OpResult Do(const Other&) {
    return OpResult::kDone;
  }
  void Over(TimerId id, WallMs now);
  static void LastUntil(Held* lease, WallMs expires_at);
  [[nodiscard]] std::optional<TimerId> Find(const Name& user, const StreamId& id) const;

  std::map<Name, User> users_;
  std::map<TimerId, Held> leases_;  // by the id of the deadline
  Answer answer_;
  std::optional<Held> told_;
};

// Of an op on a user or a stream; anything else comes back empty.
[[nodiscard]] Op CopyOfStreamOp(const Op& op);

}  // namespace belfry::sim
