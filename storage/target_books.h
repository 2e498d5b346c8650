// target_books.h - what `meta` says of targets: those that timers are parked under, and those whose
// deliveries are held. A part of the books, and like them ahead of the disk by one batch.
//
// Commit thread only.
//
// Invariants: (1) every number in an entry of `ids` above a floor is here. (2) no live row of a
// target in `parked` has a key below its `low`; on disk `low` may be lower than here. (3) a number
// is never given twice, nor are there two for one name.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/batch.h"
#include "storage/bytes.h"
#include "storage/keys.h"
#include "storage/store.h"

namespace belfry {

class TargetBooks {
 public:
  // `key` behind its kind. False: the row does not parse.
  [[nodiscard]] bool ReadRow(MetaKind kind, ByteReader* key, ByteReader* value);

  // By number.
  [[nodiscard]] std::vector<ParkedTarget> Parked() const;
  // Null: nothing is parked under it. Borrowed until the number ends.
  [[nodiscard]] const ParkedTarget* Find(TargetNumber number) const;

  // A timer is parked at `key`: the number of its target, a new one if there is none. 0: no room.
  [[nodiscard]] TargetNumber Join(std::string_view name, Key key);
  // Nothing when it is not above. Written with the next batch, and does not ask for one.
  void RaiseLow(TargetNumber number, Key low);
  void End(TargetNumber number);

  [[nodiscard]] bool paused_all() const { return paused_all_; }
  [[nodiscard]] std::vector<std::string> Paused() const;  // in order
  // "": all. False: no room.
  [[nodiscard]] bool SetPaused(std::string_view name, bool paused);

  [[nodiscard]] bool changed() const { return !changed_.empty() || !switched_.empty(); }
  // Adds what changed.
  void Write(Batch* batch);

 private:
  void WriteTarget(TargetNumber number, Batch* batch) const;

  std::map<TargetNumber, ParkedTarget> parked_;
  std::map<std::string, TargetNumber, std::less<>> numbers_;  // by name
  TargetNumber last_number_ = 0;
  bool paused_all_ = false;
  std::set<std::string, std::less<>> paused_;

  absl::flat_hash_set<TargetNumber> changed_;
  absl::flat_hash_set<TargetNumber> raised_;  // their low, and maybe nothing else
  bool number_given_ = false;
  Batch switched_;
};

}  // namespace belfry
