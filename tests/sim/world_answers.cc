// What clients are told.
#include "tests/sim/world.h"

namespace belfry::sim {

void World::CheckStreams() {
  if (streams_.violation()) oracle_.Fail(*streams_.violation());
}

void World::CheckReply(const Reply& reply) {
  if (stopwatches_.Answered(reply)) {
    if (stopwatches_.violation()) oracle_.Fail(*stopwatches_.violation());
    return;
  }
  if (streams_.Answered(reply)) return CheckStreams();
  const auto found = waiting_.find(reply.token);
  if (found == waiting_.end()) return oracle_.Fail("a client was answered twice");
  const Request request = std::move(found->second);
  waiting_.erase(found);
  switch (request.ask) {
    case Ask::kSet:
      return CheckSet(request, reply);
    case Ask::kCancel:
      return CheckCancel(request, reply);
    case Ask::kFind:
      return CheckFind(request, reply);
    case Ask::kReplay:
      return CheckReplay(request, reply);
    case Ask::kPause:
      return CheckPaused(request, reply);
    case Ask::kCancelAll:
      if (std::holds_alternative<AllGoneReply>(reply.what))
        oracle_.CancelAllAcknowledged(request.id);
      return;
    default:
      return;
  }
}

}  // namespace belfry::sim
