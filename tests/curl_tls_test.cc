// Whom the sender talks TLS to, and what it shows them: O9 of the faults of targets (expired, wrong
// host, self-signed, unknown issuer, old TLS, stalled handshake, huge chain, renegotiation).
// tls_profile_test.cc has the files.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>

#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"
#include "tests/support/receiver_tls.h"

namespace belfry {
namespace {

TlsProfile SystemProfile() { return TlsProfile(SystemIssuers::Load()); }

TlsProfile Trusting(const TlsReceiver& receiver, TlsVersion min = TlsVersion::k12) {
  TlsProfile profile = SystemProfile();
  EXPECT_TRUE(profile.AddIssuers(receiver.certificate()).ok());
  profile.SetMinVersion(min);
  return profile;
}

TlsProfile Showing(const TlsReceiver& receiver, const TestCertificate& own) {
  TlsProfile profile = Trusting(receiver);
  EXPECT_TRUE(profile.SetCertificate(own.certificate).ok());
  EXPECT_TRUE(profile.SetKey(own.key).ok());
  return profile;
}

std::shared_ptr<const TlsProfiles> ForAll(TlsProfile profile) {
  return std::make_shared<TlsProfiles>(std::move(profile));
}

SenderOptions With(std::shared_ptr<const TlsProfiles> tls) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.tls = std::move(tls);
  return options;
}

SenderOptions With(TlsProfile profile) { return With(ForAll(std::move(profile))); }

TestCertificate Named(const std::string& common_name) {
  CertificateOptions options;
  options.common_name = common_name;
  return MakeTestCertificate(options);
}

TlsReceiverOptions Demanding(const std::vector<TestCertificate>& clients, int tls_version = 0) {
  TlsReceiverOptions options;
  options.tls_version = tls_version;
  for (const TestCertificate& client : clients) options.clients.push_back(client.certificate);
  return options;
}

void ExpectTlsFailure(const TlsReceiver& receiver, TlsProfile profile) {
  SenderRig rig(With(std::move(profile)));
  const Outcome outcome = rig.Send(receiver.url());
  EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
  EXPECT_EQ(outcome.error, "tls");
  EXPECT_EQ(receiver.requests(), 0);
}

TEST(CurlTls, ATrustedReceiverIsSentToAndItsConnectionReused) {
  TlsReceiver receiver;
  SenderRig rig(With(Trusting(receiver)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  EXPECT_EQ(receiver.requests(), 5);
  EXPECT_EQ(receiver.handshakes(), 1);
}

TEST(CurlTls, AnUnknownIssuerFails) {
  const TlsReceiver receiver;
  ExpectTlsFailure(receiver, SystemProfile());
  // Nor does knowing another one help.
  ExpectTlsFailure(receiver, Trusting(TlsReceiver()));
}

TEST(CurlTls, WithoutAnyIssuersItIsALocalFault) {
  const TlsReceiver receiver;
  const SystemIssuers none = SystemIssuers::Load("/dev/null");
  EXPECT_TRUE(none.empty());
  SenderRig rig(With(TlsProfile(none)));
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = rig.Send(receiver.url());
    EXPECT_EQ(outcome.kind, OutcomeKind::kLocalFault);
    EXPECT_EQ(outcome.fault_scope, FaultScope::kHost);
  }
  EXPECT_EQ(receiver.requests(), 0);
}

TEST(CurlTls, OwnIssuersComeBesideTheSystems) {
  EXPECT_FALSE(SystemIssuers::Load().empty());
  // Two receivers with different issuers: one is the system's, the other is added to it.
  const TlsReceiver one;
  const TlsReceiver other;
  const std::string file = testing::TempDir() + "belfry-system-issuers.pem";
  std::ofstream(file) << one.certificate();
  const SystemIssuers system = SystemIssuers::Load(file);
  std::filesystem::remove(file);
  TlsProfile both(system);
  ASSERT_TRUE(both.AddIssuers(other.certificate()).ok());
  SenderRig rig(With(std::move(both)));
  EXPECT_EQ(rig.Send(one.url()).status, 200);
  EXPECT_EQ(rig.Send(other.url()).status, 200);
  ExpectTlsFailure(TlsReceiver(), TlsProfile(system));
  // What one profile trusts, the others that were made of the same issuers do not.
  SenderRig without(With(TlsProfile(system)));
  EXPECT_EQ(without.Send(one.url()).status, 200);
  EXPECT_EQ(without.Send(other.url()).error, "tls");
}

TEST(CurlTls, AnotherHostsCertificateFails) {
  TlsReceiverOptions options;
  options.certificate.subject_alt_name = "DNS:other.test,IP:127.0.0.2";
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, Trusting(receiver));
}

TEST(CurlTls, AnExpiredCertificateFails) {
  TlsReceiverOptions options;
  options.certificate.valid_from_s = -7200;
  options.certificate.valid_to_s = -3600;
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, Trusting(receiver));
}

TEST(CurlTls, AnOldProtocolFails) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    TlsReceiverOptions options;
    options.tls_version = version;
    const TlsReceiver receiver(options);
    ExpectTlsFailure(receiver, Trusting(receiver));
  }
}

TEST(CurlTls, WithTls13AsTheLeastAReceiverOf12Fails) {
  TlsReceiverOptions options;
  options.tls_version = TLS1_2_VERSION;
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, Trusting(receiver, TlsVersion::k13));
  SenderRig rig(With(Trusting(receiver)));
  EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  options.tls_version = TLS1_3_VERSION;
  const TlsReceiver newer(options);
  SenderRig newer_rig(With(Trusting(newer, TlsVersion::k13)));
  EXPECT_EQ(newer_rig.Send(newer.url()).status, 200);
}

TEST(CurlTls, AHandshakeThatStallsEndsAtTheConnectTimeout) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.connect_timeout_ms = 100;
  options.timeout_ms = kTimeoutMsMax;
  SenderRig rig(options);
  Receiver receiver(rig.loop);
  receiver.StopReading();
  const Outcome outcome = rig.Send("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
}

TEST(CurlTls, AReceiverThatDoesNotSpeakTlsGetsNoPlainRequest) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.connect_timeout_ms = 100;
  SenderRig rig(options);
  Receiver receiver(rig.loop);
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = rig.Send("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
    EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
  }
  EXPECT_TRUE(receiver.requests().empty());
}

TEST(CurlTls, AHugeChainFails) {
  TlsReceiverOptions options;
  options.chain_length = 1000;
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, Trusting(receiver));
  options.chain_length = 5;
  const TlsReceiver shorter(options);
  SenderRig rig(With(Trusting(shorter)));
  EXPECT_EQ(rig.Send(shorter.url()).status, 200);
}

TEST(CurlTls, OnlyWithACertificateToShowItRenegotiates) {
  TlsReceiverOptions options;
  options.tls_version = TLS1_2_VERSION;
  options.renegotiate = true;
  const TlsReceiver receiver(options);
  SenderRig without(With(Trusting(receiver)));
  EXPECT_EQ(without.Send(receiver.url()).kind, OutcomeKind::kFailed);
  SenderRig with(With(Showing(receiver, Named("us"))));
  EXPECT_EQ(with.Send(receiver.url()).status, 200);
}

TEST(CurlTls, OurCertificateIsShownToWhoAsks) {
  const TestCertificate own = Named("us");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsReceiver asks(Demanding({own}, version));
    SenderRig rig(With(Showing(asks, own)));
    EXPECT_EQ(rig.Send(asks.url()).status, 200);
    EXPECT_EQ(asks.seen().at(0).client, "us");
  }
  TlsReceiver does_not_ask;
  SenderRig rig(With(Showing(does_not_ask, own)));
  EXPECT_EQ(rig.Send(does_not_ask.url()).status, 200);
  EXPECT_EQ(does_not_ask.seen().at(0).client, "");
}

TEST(CurlTls, WithoutTheCertificateThatIsDemandedItFails) {
  const TestCertificate wanted = Named("wanted");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsReceiver receiver(Demanding({wanted}, version));
    ExpectTlsFailure(receiver, Trusting(receiver));
    ExpectTlsFailure(receiver, Showing(receiver, Named("another")));
  }
}

// Two names of one receiver, with a certificate for each.
TEST(CurlTls, TheProfileOfOneHostIsNotUsedForAnother) {
  const TestCertificate for_a = Named("for a");
  const TestCertificate for_b = Named("for b");
  const TestCertificate for_others = Named("for others");
  TlsReceiver receiver(Demanding({for_a, for_b, for_others}));
  auto tls = std::make_shared<TlsProfiles>(Showing(receiver, for_others));
  tls->Add(TlsTarget::Parse(receiver.url("a.localhost")).value(), Showing(receiver, for_a));
  tls->Add(TlsTarget::Parse("*.localhost").value(), Showing(receiver, for_b));
  SenderRig rig(With(tls));
  for (int i = 0; i < 3; ++i) {
    for (const char* host : {"a.localhost", "b.localhost", "127.0.0.1"}) {
      EXPECT_EQ(rig.Send(receiver.url(host)).status, 200);
    }
  }
  const auto seen = receiver.seen();
  ASSERT_EQ(seen.size(), 9u);
  for (const TlsRequest& request : seen) {
    const char* wanted = request.host.starts_with("a.")   ? "for a"
                         : request.host.starts_with("b.") ? "for b"
                                                          : "for others";
    EXPECT_EQ(request.client, wanted) << request.host;
  }
  EXPECT_EQ(receiver.handshakes(), 3);
}

TEST(CurlTls, TheTrustOfOneHostIsNotAnothers) {
  const TlsReceiver receiver;
  auto tls = std::make_shared<TlsProfiles>(SystemProfile());
  tls->Add(TlsTarget::Parse(receiver.url("a.localhost")).value(), Trusting(receiver));
  SenderRig rig(With(tls));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(rig.Send(receiver.url("a.localhost")).status, 200);
    EXPECT_EQ(rig.Send(receiver.url("b.localhost")).error, "tls");
  }
  EXPECT_EQ(receiver.requests(), 2);
}

TEST(CurlTls, AnotherCertificateIsShownOnNewConnectionsOnly) {
  const TestCertificate before = Named("before");
  const TestCertificate after = Named("after");
  TlsReceiver receiver(Demanding({before, after}));
  SenderRig rig(With(Showing(receiver, before)));
  EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  rig.sender->SetTls(ForAll(Showing(receiver, before)));  // read again, and nothing has changed
  EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  EXPECT_EQ(receiver.handshakes(), 1);
  rig.sender->SetTls(ForAll(Showing(receiver, after)));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  EXPECT_EQ(receiver.handshakes(), 2);
  const auto seen = receiver.seen();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[1].client, "before");
  EXPECT_EQ(seen[2].client, "after");
  EXPECT_EQ(seen[3].client, "after");
}

TEST(CurlTls, AnIssuerThatIsNoLongerTrustedIsNotReachedOverOldConnections) {
  const TlsReceiver receiver;
  SenderRig rig(With(Trusting(receiver)));
  EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  rig.sender->SetTls(ForAll(SystemProfile()));
  EXPECT_EQ(rig.Send(receiver.url()).error, "tls");
  rig.sender->SetTls(ForAll(Trusting(receiver, TlsVersion::k13)));
  EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  EXPECT_EQ(receiver.requests(), 2);
}

// Turns the loop until `done`, which no event of the loop announces.
bool SpinUntil(TestLoop& loop, const std::function<bool()>& done) {
  auto* idle = new uv_idle_t;
  uv_idle_init(loop.get(), idle);
  uv_idle_start(idle, [](uv_idle_t*) {});
  const bool result = loop.RunUntil(done);
  uv_close(reinterpret_cast<uv_handle_t*>(idle),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_idle_t*>(h); });
  loop.RunTurns(1);
  return result;
}

TEST(CurlTls, WhatIsUnderWayEndsWithTheCertificateItBeganWith) {
  const TestCertificate before = Named("before");
  const TestCertificate after = Named("after");
  TlsReceiver receiver(Demanding({before, after}));
  SenderRig rig(With(Showing(receiver, before)));
  receiver.Hold();
  rig.Start(receiver.url());
  ASSERT_TRUE(SpinUntil(rig.loop, [&] { return receiver.requests() == 1; }));
  rig.sender->SetTls(ForAll(Showing(receiver, after)));
  rig.Start(receiver.url());
  ASSERT_TRUE(SpinUntil(rig.loop, [&] { return receiver.requests() == 2; }));
  receiver.Release();
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes[0].status, 200);
  EXPECT_EQ(rig.outcomes[1].status, 200);
  // The connection from before is free now, and nobody takes it.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  const auto seen = receiver.seen();
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[0].client, "before");
  for (size_t i = 1; i < seen.size(); ++i) EXPECT_EQ(seen[i].client, "after");
  EXPECT_EQ(receiver.handshakes(), 2);
}

TEST(CurlTls, AStopCutsOffWhatIsUnderWayOnOldConnectionsToo) {
  const TlsReceiver trusted;
  TlsReceiver receiver;
  SenderRig rig(With(Trusting(receiver)));
  receiver.Hold();
  rig.Start(receiver.url());
  ASSERT_TRUE(SpinUntil(rig.loop, [&] { return receiver.requests() == 1; }));
  rig.sender->SetTls(ForAll(Trusting(trusted)));
  rig.sender->InterruptAll();
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes[0].kind, OutcomeKind::kInterrupted);
}

}  // namespace
}  // namespace belfry
