#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"
#include "tests/support/receiver_tls.h"

namespace belfry {
namespace {

SenderOptions Trusting(const std::string& ca_file) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.ca_file = ca_file;
  return options;
}

void ExpectTlsFailure(const TlsReceiver& receiver, const std::string& ca_file) {
  SenderRig rig(Trusting(ca_file));
  const Outcome outcome = rig.Send(receiver.url());
  EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
  EXPECT_EQ(outcome.error, "tls");
  EXPECT_EQ(receiver.requests(), 0);
}

TEST(CurlTls, ATrustedReceiverIsSentToAndItsConnectionReused) {
  TlsReceiver receiver;
  SenderRig rig(Trusting(receiver.ca_file()));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rig.Send(receiver.url()).status, 200);
  EXPECT_EQ(receiver.requests(), 5);
  EXPECT_EQ(receiver.handshakes(), 1);
  rig.sender.reset();  // the receiver's thread waits for its connection to end
}

TEST(CurlTls, AnUnknownIssuerFails) {
  const TlsReceiver receiver;
  ExpectTlsFailure(receiver, "");
}

TEST(CurlTls, WithoutAUsableFileOfIssuersItIsALocalFault) {
  const TlsReceiver receiver;
  SenderRig rig(Trusting("/dev/null"));
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = rig.Send(receiver.url());
    EXPECT_EQ(outcome.kind, OutcomeKind::kLocalFault);
    EXPECT_EQ(outcome.fault_scope, FaultScope::kHost);
  }
  EXPECT_EQ(receiver.requests(), 0);
}

TEST(CurlTls, AnotherHostsCertificateFails) {
  CertificateOptions options;
  options.subject_alt_name = "DNS:other.test,IP:127.0.0.2";
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, receiver.ca_file());
}

TEST(CurlTls, AnExpiredCertificateFails) {
  CertificateOptions options;
  options.valid_from_s = -7200;
  options.valid_to_s = -3600;
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, receiver.ca_file());
}

TEST(CurlTls, AnOldProtocolFails) {
  CertificateOptions options;
  options.tls_version_max = TLS1_1_VERSION;
  const TlsReceiver receiver(options);
  ExpectTlsFailure(receiver, receiver.ca_file());
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

}  // namespace
}  // namespace belfry
