// parking.h - what is due and parked: its target is full, open or paused, and many wait for it.
//
// Loop thread only. A lot is the parked timers of one target: on disk, in key order. They are read
// back a page at a time, when their target has room, and keep their rows until their outcomes are
// durable.
//
// Invariants: (1) A parked timer above its lot's cursor is in no place in memory. (2) One at or
// below the cursor is out: it was read back, and in memory or has an unfinished op, until Left.
// (3) At most one LoadParked of a lot is outstanding; a Park below the cursor makes it stale.
// (4) A lot lasts until the store says that its number ended. (5) A lot is among the wanting once
// at most.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/op.h"

namespace belfry {

class Parking {
 public:
  // A lot that the store had when it was opened: nothing of it was read.
  void Add(TargetNumber number, std::string name, const Key& low);

  [[nodiscard]] bool AnyWants() const { return !wanting_.empty(); }
  [[nodiscard]] bool Has(TargetNumber number) const { return lots_.contains(number); }
  // "" when there is no such lot.
  [[nodiscard]] std::string_view NameOf(TargetNumber number) const;
  // 0: nothing is parked under that name.
  [[nodiscard]] TargetNumber NumberOf(std::string_view name) const;
  // There are rows, or may be, that were not read back.
  [[nodiscard]] bool HasUnread(TargetNumber number) const;
  [[nodiscard]] bool IsOut(TimerId id) const { return out_.contains(id); }

  // A ParkOp completed: the timer with this key is on disk only.
  void Parked(TargetNumber number, std::string_view name, const Key& key);
  // An op on a timer completed that may have taken its row out of a lot, or the timer is gone.
  void Left(TimerId id);

  // One that is out left memory unchanged: it is to be read again. False: it is not out.
  bool PutBack(TimerId id);

  // Something changed, so that a page of the lot may be asked for. Nothing when there is no such
  // lot.
  void Want(TargetNumber number);
  // The lot that has wanted for longest, which does not want any more; 0: none does.
  [[nodiscard]] TargetNumber NextWanting();

  // The next page to ask for, of a lot that there is; nullopt: one is under way, or all was read
  // and some of it is still out. Of a lot with nothing left it is the one that ends it; that waits
  // for ParksDone unless no Park is unfinished (`parks`, of all lots).
  [[nodiscard]] std::optional<LoadParkedOp> NextLoad(TargetNumber number, size_t rows_max,
                                                     size_t bytes_max, size_t parks);
  // Timers were deleted, so any lot may have ended: each wants pages until one is found in it,
  // whether its target has room or not.
  void LookForEnds();
  [[nodiscard]] bool LooksForEnd(TargetNumber number) const;
  // No Park is unfinished any more.
  void ParksDone();
  // The timers of a page, in key order; none when it is stale. All of them are out now. A lot that
  // ended is gone after this.
  [[nodiscard]] std::vector<TimerPtr> TakePage(TargetNumber number, LoadedPage page,
                                               bool target_ended);

 private:
  friend class TimersInspector;  // tests/support/invariants.h

  struct Lot {
    std::string name;
    Key cursor;                // inclusive
    absl::btree_set<Key> out;  // at or below the cursor
    uint64_t generation = 0;
    bool load_outstanding = false;
    bool read_to_end = false;
    bool wanting = false;
    bool ending = false;  // waits for ParksDone
    bool looks_for_end = false;
  };
  struct Out {
    TargetNumber number = 0;
    Key key;
  };

  [[nodiscard]] Lot& LotOf(TargetNumber number);
  static void ReadAgain(Lot& lot, const Key& key);

  absl::btree_map<TargetNumber, std::unique_ptr<Lot>> lots_;
  absl::flat_hash_map<std::string_view, TargetNumber> numbers_;  // by Lot::name
  absl::flat_hash_map<TimerId, Out> out_;
  std::deque<TargetNumber> wanting_;
  std::vector<TargetNumber> ending_;
};

}  // namespace belfry
