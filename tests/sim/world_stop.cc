// SIGTERM, and the start after it.

#include <utility>

#include "tests/sim/world.h"

namespace belfry::sim {

// In the order of daemon/loop.h: serve on and start nothing, cut off, settle. The next start finds
// what the ops of the stop have made durable.
void World::Stop() {
  constexpr int kCutOff = 20;
  constexpr int kRoundsMax = 4000;  // refused starts are read for one after the other
  Note("stop");
  Pump();
  stopping_ = true;
  engine_->StopStarting();
  for (int round = 0;; ++round) {
    engine_->Tick(now_, mono_);
    Pump();
    Check();
    // A failed store ends it too: Crash() has started again.
    if (!stopping_ || oracle_.violation()) return;
    if (round > kCutOff && flying_.empty() && Quiet() && engine_->unfinished_ops() == 0) break;
    if (round > kRoundsMax) return oracle_.Fail("the stop hangs");
    if (round < kCutOff && OneIn(4)) ClientStep();
    if (round < kCutOff && OneIn(4)) stopwatches_.Step(mono_, clock_sane_);
    if (round < kCutOff && OneIn(4)) streams_.Step(now_);
    Pump();
    if (round == kCutOff) InterruptAll();
    StepOfStop(round);
  }
  if (!waiting_.empty() || stopwatches_.waiting() || streams_.waiting()) {
    return oracle_.Fail("the stop left a client without an answer");
  }
  oracle_.Stopped();
  stopwatches_.Crashed();
  streams_.Crashed();
  Open();
}

void World::StepOfStop(int round) {
  switch (round % 3) {
    case 0:
      return StoreStep();
    case 1:
      return CompletionStep();
    default:
      DeliveryStep();
  }
}

void World::InterruptAll() {
  for (const auto& [id, flight] : std::exchange(flying_, {})) {
    Outcome outcome;
    outcome.id = id;
    outcome.kind = OutcomeKind::kInterrupted;
    outcome.started = flight.started;
    EndAttempt(id, flight, outcome);
  }
}

}  // namespace belfry::sim
