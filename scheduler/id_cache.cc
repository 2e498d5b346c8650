#include "scheduler/id_cache.h"

#include "base/check.h"
#include "base/planted.h"

namespace belfry {
namespace {

constexpr size_t kPlacesPerSet = 4;

}  // namespace

IdCache::IdCache(size_t bytes_max)
    : sets_(bytes_max / (kPlacesPerSet * sizeof(Place))),
      places_(sets_ == 0 ? nullptr
                         : static_cast<Place*>(std::calloc(sets_ * kPlacesPerSet, sizeof(Place)))) {
  CHECK(sets_ == 0 || places_ != nullptr);
}

IdCache::Place* IdCache::PlaceOf(TimerId id) const {
  if (sets_ == 0 || id == 0) return nullptr;
  Place* set = &places_[id % sets_ * kPlacesPerSet];
  for (size_t i = 0; i < kPlacesPerSet; ++i) {
    if (set[i].id == id) return &set[i];
  }
  return nullptr;
}

std::optional<IdCache::Entry> IdCache::Find(TimerId id) const {
  const Place* place = PlaceOf(id);
  if (place == nullptr) return std::nullopt;
  return Entry{place->tenant, place->state, WallMs{place->due_ms}};
}

void IdCache::Keep(TimerId id, const Entry& entry) {
  if (sets_ == 0) return;
  Place* place = PlaceOf(id);
  Place* set = &places_[id % sets_ * kPlacesPerSet];
  for (size_t i = 0; place == nullptr && i < kPlacesPerSet; ++i) {
    if (set[i].id == 0) place = &set[i];
  }
  if (place == nullptr) place = &set[next_victim_++ % kPlacesPerSet];
  *place = {id, entry.due.ms, entry.tenant, entry.state};
}

void IdCache::Completed(TimerId id, const Timer* alive) {
  if (const auto reads = reads_.find(id); reads != reads_.end()) reads->second.outdated = true;
  if (Planted(Bug::kIdCacheNotRefreshed)) return;
  // Nobody asks for the deadline of a lease.
  if (alive != nullptr && alive->tenant != kLeaseTenant)
    return Keep(id, {alive->tenant, alive->state, alive->due});
  if (Place* place = PlaceOf(id)) *place = Place{};
}

void IdCache::Asked(TimerId id) { ++reads_[id].outstanding; }

void IdCache::Answered(TenantId tenant, TimerId id, const TimerView* found, bool quiet) {
  const auto reads = reads_.find(id);
  CHECK(reads != reads_.end());
  const bool current = (quiet && !reads->second.outdated) || Planted(Bug::kStaleReadEntersIdCache);
  if (--reads->second.outstanding == 0) reads_.erase(reads);
  if (!current || found == nullptr || !IsAlive(found->state)) return;
  Keep(id, {tenant, found->state, found->due});
}

}  // namespace belfry
