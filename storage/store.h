// store.h - the seam between the scheduler's decisions and what makes them durable.
//
// Threads: Apply on the commit thread only, one call at a time. Run and opened() on any thread.
// Implementations: storage/ledger over a key-value engine (RocksDB, or memory for tests); later one
// that speaks the PostgreSQL wire protocol.
//
// Invariants: (1) what Apply answered OK for survives kill -9 and power loss; (2) ops are applied
// in order, each sees all before it; (3) after Apply failed every later Apply fails: the outcome of
// the failed group is unknown until the store is opened again.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/op.h"
#include "base/query.h"
#include "base/status.h"

namespace belfry {

// A target that timers are parked under.
struct ParkedTarget {
  TargetNumber number = 0;
  std::string name;  // as the first ParkOp gave it
  Key low;           // no live timer of it is parked at a smaller key
  friend bool operator==(const ParkedTarget&, const ParkedTarget&) = default;
};

// What the scheduler needs to go on where the last run stopped.
struct StoreState {
  std::string store_id;  // 10 base32 characters, drawn when the store was made
  TimerId last_id = 0;   // the greatest id ever given out
  WallMs low;            // no live timer that is not parked has a smaller key time
  WallMs last_seen;      // 0 in a new store
  std::vector<std::pair<TenantId, TimerId>> floors;
  std::vector<ParkedTarget> parked_targets;  // by number
  bool paused_all = false;
  std::vector<std::string> paused_targets;  // in order
  std::vector<uint64_t> replays = {};       // numbers of ReplayRangeOps that are not done, rising
  std::vector<std::pair<TenantId, std::string>> tenants = {};  // TenantOps so far, by id
};

class Store {
 public:
  virtual ~Store() = default;

  // As it was when the store was opened.
  [[nodiscard]] virtual const StoreState& opened() const = 0;

  // Applies `ops` in order with one sync for each run of ops between Loads (more when a run brings
  // about more than kGroupBytesMax), and appends one Completion an op to `done`. On error nothing
  // of the failing run is in `done`.
  [[nodiscard]] virtual Status Apply(std::vector<Op> ops, std::vector<Completion>* done) = 0;

  // Answers one read under one snapshot.
  [[nodiscard]] virtual QueryResult Run(const Query& query) const = 0;

  // The same for a short FindQuery that memory answers; nullopt for all else. Never waits.
  [[nodiscard]] virtual std::optional<QueryResult> RunFromMemory(const Query&) const {
    return std::nullopt;
  }
};

}  // namespace belfry
