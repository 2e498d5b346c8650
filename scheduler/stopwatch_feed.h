// stopwatch_feed.h - the last changes of stopwatches, and who wants to hear of which.
//
// Loop thread only; pure. Changes stand once, in a ring; a subscriber is a place in it, and takes
// what is next for it when it has room. So it costs the same however slow it is, and one that falls
// behind the ring is told so.
//
// A full ring gives up a reset first that a later change of the same stopwatch stands behind: who
// has not taken it learns the same from that one. So a stopwatch that is reset all the time takes
// nothing from those who follow others, and a long snapshot does not fall behind because of it.
//
// A subscriber hears of everybody's stopwatches of its names, and, with `own`, of all of its
// tenant's. Its tenant has to own each name; once it deletes one, that deletion is the last that it
// hears of the name, also of what others changed before and it has not taken. Of what others did
// before its tenant owned the name it hears nothing either.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "base/limits.h"
#include "base/stopwatch.h"

namespace belfry {

struct StopwatchEvent {
  enum class Kind { kCreated, kReset, kDeleted };
  uint64_t number = 0;  // 1, 2, 3 ... of this run
  Kind kind = Kind::kCreated;
  Stopwatch stopwatch;  // deleted: as it was
};

class StopwatchFeed {
 public:
  using SubscriberId = uint64_t;

  explicit StopwatchFeed(size_t events_max = kFeedEventsMax) : events_max_(events_max) {}

  void Add(StopwatchEvent::Kind kind, Stopwatch stopwatch);
  // Of the latest change; 0: there was none.
  [[nodiscard]] uint64_t last() const { return last_; }

  struct Wish {
    TenantId tenant = 0;
    std::vector<std::string> names;  // without repeats
    bool own = false;
  };
  // It hears of what comes from now on; with `after` also of what came after that number. False:
  // that cannot be said any more (too long ago, another run, or it gave up or came to own one of
  // its names since), and it hears of what comes from now on.
  [[nodiscard]] bool Subscribe(SubscriberId id, Wish wish, std::optional<uint64_t> after);
  void Unsubscribe(SubscriberId id);

  enum class Place {
    kNothing,  // all was taken; woken when there is more
    kEvent,
    kLost,   // something for it is not there any more, or it owns a name only since it subscribed
    kEnded,  // it owns none of its names any more
  };
  struct Taken {
    Place place = Place::kNothing;
    const StopwatchEvent* event = nullptr;  // kEvent: borrowed until the next Add
    // It has heard of all that it asked for. After an event that is not so, what others did with a
    // name that it gave up is missing, so it must not resume there.
    bool complete = false;
  };
  [[nodiscard]] Taken Take(SubscriberId id);  // what is next
  // Those with something to take that were not told so before, since they took the last.
  [[nodiscard]] std::vector<SubscriberId> TakeWoken();

  // It may be told of this row of a list: of others only what has a name that it did not give up.
  [[nodiscard]] bool MayTell(SubscriberId id, const Stopwatch& row) const;

  [[nodiscard]] size_t subscribers() const { return subscribers_.size(); }

 private:
  static constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max();
  // One tenant's changes of a name that are in the ring, by number; 0: none.
  struct Latest {
    uint64_t reset = 0;   // when nothing has followed it
    uint64_t owning = 0;  // created or deleted
  };
  // A name of which there is a change or a subscriber.
  struct Name {
    std::string text;
    absl::flat_hash_map<TenantId, Latest> latest;
    absl::btree_set<SubscriberId> subscribers;  // woken in this order, in every run
  };
  struct Entry {
    StopwatchEvent event;
    Name* name = nullptr;
  };
  struct Named {
    Name* name = nullptr;
    uint64_t until = kForEver;  // the change that was the end of owning it
  };
  struct Subscriber {
    TenantId tenant = 0;
    bool own = false;
    bool waiting = false;  // it has something to take from `next` on
    bool lost = false;
    uint64_t next = 0;
    uint64_t complete_up_to = kForEver;
    std::vector<Named> names;
    [[nodiscard]] bool Wants(const Entry& entry) const;
    [[nodiscard]] bool Ended() const;
  };

  using Ring = absl::btree_map<uint64_t, Entry>;  // by number

  [[nodiscard]] Ring::const_iterator From(uint64_t number) const;
  [[nodiscard]] bool CanResume(const Wish& wish, uint64_t after) const;
  [[nodiscard]] Name& Intern(std::string_view text);
  void ForgetUnused(const Name& name);
  void GiveUpOne();
  void Wake(SubscriberId id, const Entry& entry);
  void OwningChanged(Subscriber& subscriber, const Entry& entry);

  const size_t events_max_;
  Ring ring_;
  std::deque<uint64_t> followed_;  // resets in the ring that a later change stands behind
  uint64_t floor_ = 0;             // up to this one they are gone, and nothing stands for them
  uint64_t last_ = 0;
  absl::flat_hash_map<SubscriberId, Subscriber> subscribers_;
  absl::flat_hash_map<std::string_view, std::unique_ptr<Name>> names_;  // by their text
  absl::flat_hash_map<TenantId, absl::btree_set<SubscriberId>> by_owner_;
  std::vector<SubscriberId> woken_;
};

}  // namespace belfry
