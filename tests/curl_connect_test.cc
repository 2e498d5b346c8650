// Connections that do not come about.
#include <gtest/gtest.h>

#include "delivery/curl_sender.h"
#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"
#include "tests/support/receiver_silent.h"

namespace belfry {
namespace {

SenderOptions ConnectingFor(int64_t connect_timeout_ms) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.connect_timeout_ms = connect_timeout_ms;
  return options;
}

// The loop still works: it ends the process when it has to poll a descriptor that was closed.
void ExpectWell(SenderRig& rig) {
  Receiver receiver(rig.loop);
  rig.loop.RunTurns(3);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
}

TEST(CurlConnect, ADroppedSynIsATimeout) {
  SenderRig rig(ConnectingFor(100));
  const SilentListener silent;
  for (int i = 0; i < 3; ++i) rig.Start(silent.url());
  ASSERT_TRUE(rig.Settle());
  for (const Outcome& outcome : rig.outcomes) {
    EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
    EXPECT_EQ(outcome.error, "timeout");
  }
  ExpectWell(rig);
}

TEST(CurlConnect, OneThatIsUnderWayCanBeInterrupted) {
  SenderRig rig;
  const SilentListener silent;
  rig.Start(silent.url());
  rig.loop.RunTurns(3);
  rig.sender->InterruptAll();
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes[0].kind, OutcomeKind::kInterrupted);
  ExpectWell(rig);
}

// localhost is 127.0.0.1 and ::1; curl tries the second while the first does not answer.
TEST(CurlConnect, TheFasterFamilyOfAddressesWins) {
  SenderRig rig;
  Receiver receiver(rig.loop, true);
  const SilentListener silent("127.0.0.1", receiver.port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rig.Send("http://localhost:" + std::to_string(receiver.port()) + "/").status, 200);
    receiver.CloseAll();
  }
  EXPECT_EQ(receiver.requests().size(), 3u);
  ExpectWell(rig);
}

}  // namespace
}  // namespace belfry
