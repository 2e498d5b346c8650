// Reads, which are asked, done and handed back at different times.
#include "tests/sim/world.h"

namespace belfry::sim {

void World::ReadOne() {
  switch (Random(6)) {
    case 0:
      return timers_->List(Expect({Ask::kList, 0, "", {}}),
                           {kLocalTenant, 0, 1 + static_cast<int>(Random(20)), {}});
    case 1:
      return timers_->Count(Expect({Ask::kCount, 0, "", {}}), {kLocalTenant, {}});
    default: {
      if (OneIn(2)) {
        looked_at_ = OneIn(2) ? Random(last_id_ + 2)
                              : last_id_ - Random(std::min<uint64_t>(last_id_, 6) + 1);
      }
      const ReplyToken token = Expect({Ask::kFind, looked_at_, "", {}, oracle_.Now(looked_at_)});
      timers_->Find(token, {kLocalTenant, looked_at_, OneIn(3)});
      // While the read is under way, and before the next look at it.
      if (OneIn(4)) OneIn(8) ? Meddle() : Cancel(kLocalTenant, looked_at_);
    }
  }
}

bool World::ReadStep() {
  if (!read_.empty() && OneIn(2)) {
    HandBackRead();
  } else if (!queries_.empty()) {
    DoRead();
  } else {
    return false;
  }
  return true;
}

void World::FinishReads() {
  while (!queries_.empty()) DoRead();
  while (!read_.empty()) HandBackRead();
}

void World::DoRead() {
  auto from_memory = OneIn(2) ? store_->RunFromMemory(queries_.back()) : std::nullopt;
  read_.push_back(from_memory ? std::move(*from_memory) : store_->Run(queries_.back()));
  stopwatches_.WasRead(queries_.back(), read_.back());
  streams_.WasRead(queries_.back(), read_.back());
  CheckStreams();
  queries_.pop_back();
}

void World::HandBackRead() {
  std::swap(read_[Random(read_.size())], read_.back());
  QueryResult result = std::move(read_.back());
  read_.pop_back();
  engine_->QueryDone(std::move(result), mono_);
}

void World::CheckFind(const Request& request, const Reply& reply) {
  if (std::holds_alternative<NotFoundReply>(reply.what)) {
    oracle_.NotFound(request.id, request.then.lived);
  }
  if (const auto* view = std::get_if<TimerView>(&reply.what)) oracle_.Seen(*view, request.then);
}

// When nothing is on its way.
void World::CheckStopwatches() {
  if (Quiet() && engine_->stopwatches().unfinished_ops() == 0) stopwatches_.Settled(mono_);
  if (stopwatches_.violation()) oracle_.Fail(*stopwatches_.violation());
}

}  // namespace belfry::sim
