#include "scheduler/target.h"

#include <algorithm>

#include "base/limits.h"
#include "base/planted.h"
#include "scheduler/jitter.h"

namespace belfry {

Target::Target(std::string_view of, const TargetOptions& options)
    : name(of),
      breaker(options.breaker, MixName(options.breaker.seed, of)),
      throttle(options.throttle) {
  home.target = this;
}

size_t Target::Room(WallMs now) const {
  if (lookups > 0 && !Planted(Bug::kLookupIgnored)) return 0;
  if (paused || !breaker.MayStart(now)) return 0;
  const size_t room = throttle.Room(in_flight, now);
  return breaker.closed() ? room : std::min<size_t>(room, 1);
}

WallMs Target::BlockedUntil(WallMs now) const {
  if (paused) return now;
  const bool open = !breaker.closed() && !breaker.probing();
  return throttle.OpenAt(open ? std::max(now, breaker.probe_at()) : now);
}

bool Target::Troubled(WallMs now) const { return !breaker.closed() || throttle.WorthKeeping(now); }

// One that may hang has few of what the backlog may have at first.
size_t Target::LateRoom(size_t room) const {
  if (prompt) return room;
  return std::min(room, kSlowLateMax - std::min<size_t>(kSlowLateMax, late_in_flight));
}

TargetView ViewOf(const Target& target, WallMs now) {
  TargetView view;
  view.name = target.name;
  view.state = target.breaker.state(now);
  view.paused = target.paused;
  view.parked = target.parked_as != 0;
  view.in_flight = target.in_flight;
  view.limit = target.throttle.limit();
  view.staged = target.staged;
  view.recent = target.stats.Recent(now);
  view.p50_ms = target.stats.DurationMs(0.5, now);
  view.p99_ms = target.stats.DurationMs(0.99, now);
  if (const WallMs until = target.BlockedUntil(now); until > now) view.blocked_until = until;
  view.last_error = target.stats.last_error();
  return view;
}

}  // namespace belfry
