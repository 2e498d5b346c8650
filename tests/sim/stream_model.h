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

  // The result the op has to have. Of other ops: kDone.
  OpResult Do(const Op& op);

  [[nodiscard]] const std::map<TimerId, Held>& leases() const { return leases_; }
  [[nodiscard]] const std::map<Name, std::optional<uint32_t>>& users() const { return users_; }
  // In the order of their starts.
  [[nodiscard]] std::vector<TimerId> Named(const Name& user) const;
  // Of the last op: whose lapse is told, and the most streams its user had alive.
  [[nodiscard]] const std::optional<Held>& told() const { return told_; }
  [[nodiscard]] std::optional<uint32_t> holds() const { return holds_; }
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
  [[nodiscard]] Held* Find(const Name& user, const StreamId& id);

  std::map<Name, std::optional<uint32_t>> users_;
  std::map<TimerId, Held> leases_;  // by the id of the deadline
  std::optional<Held> told_;
  std::optional<uint32_t> holds_;
};

// Of an op on a user or a stream; anything else comes back empty.
[[nodiscard]] Op CopyOfStreamOp(const Op& op);

}  // namespace belfry::sim
