// What an answer or a failure means.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/limits.h"
#include "delivery/attempt_facts.h"
#include "delivery/retry_after.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1795248000000};  // Sat, 21 Nov 2026 08:00:00 GMT

TEST(RetryAfter, SecondsAreRead) {
  EXPECT_EQ(ParseRetryAfter("0", kNow), 0);
  EXPECT_EQ(ParseRetryAfter(" 120\r\n", kNow), 120'000);
  EXPECT_EQ(ParseRetryAfter("86400", kNow), kRetryAfterMsMax);
  EXPECT_EQ(ParseRetryAfter("86401", kNow), kRetryAfterMsMax);
  EXPECT_EQ(ParseRetryAfter("99999999999999999999999999", kNow), kRetryAfterMsMax);
}

TEST(RetryAfter, DatesAreRead) {
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2026 08:00:30 GMT", kNow), 30'000);
  EXPECT_EQ(ParseRetryAfter("Saturday, 21-Nov-26 08:00:30 GMT", kNow), 30'000);
  EXPECT_EQ(ParseRetryAfter("Sat Nov 21 08:00:30 2026", kNow), 30'000);
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2026 07:00:00 GMT", kNow), 0);
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2037 07:00:00 GMT", kNow), kRetryAfterMsMax);
}

TEST(RetryAfter, AnythingElseIsIgnored) {
  for (const char* value : {"", " ", "-1", "+5", "1.5", "5 s", "soon", "0x10", "1e3", "tomorrow",
                            "Xxx, 99 Yyy 2026 08:00:30 GMT"}) {
    EXPECT_EQ(ParseRetryAfter(value, kNow), std::nullopt) << value;
  }
}

AttemptFacts With(CURLcode result, int os_errno = 0) {
  AttemptFacts facts;
  facts.result = result;
  facts.os_errno = os_errno;
  facts.sockets_opened = 1;
  return facts;
}

void ExpectMeaning(const AttemptFacts& facts, OutcomeKind kind, std::string_view error) {
  const Meaning meaning = Judge(facts);
  EXPECT_EQ(meaning.kind, kind) << facts.result;
  EXPECT_EQ(meaning.error, error) << facts.result;
}

TEST(AttemptFacts, AnAlertAfterTheHandshakeIsTls) {
  for (const CURLcode result : {CURLE_RECV_ERROR, CURLE_SEND_ERROR}) {
    AttemptFacts facts = With(result);
    ExpectMeaning(facts, OutcomeKind::kFailed, "reset");
    facts.tls_alert = true;
    ExpectMeaning(facts, OutcomeKind::kFailed, "tls");
  }
}

TEST(AttemptFacts, AFinalStatusWins) {
  for (const CURLcode result : {CURLE_OK, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_WRITE_ERROR,
                                CURLE_OPERATION_TIMEDOUT, CURLE_ABORTED_BY_CALLBACK}) {
    AttemptFacts facts = With(result);
    facts.status = 503;
    ExpectMeaning(facts, OutcomeKind::kAnswered, "");
    facts.status = 100;
    EXPECT_NE(Judge(facts).kind, OutcomeKind::kAnswered);
  }
}

TEST(AttemptFacts, CurlSuccessWithoutAStatusIsAFailure) {
  ExpectMeaning(With(CURLE_OK), OutcomeKind::kFailed, "protocol");
}

void ExpectLocalFault(const AttemptFacts& facts, FaultScope scope) {
  ExpectMeaning(facts, OutcomeKind::kLocalFault, "local fault");
  EXPECT_EQ(Judge(facts).fault_scope, scope) << facts.result;
}

TEST(AttemptFacts, OurOwnShortagesAreNotTheTargetsFault) {
  for (const int os_errno : {EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    ExpectLocalFault(With(CURLE_COULDNT_CONNECT, os_errno), FaultScope::kHost);
  }
  for (const CURLcode result :
       {CURLE_OUT_OF_MEMORY, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE}) {
    ExpectLocalFault(With(result), FaultScope::kHost);
  }
  AttemptFacts facts = With(CURLE_COULDNT_CONNECT);
  facts.no_socket = true;
  facts.sockets_opened = 0;
  ExpectLocalFault(facts, FaultScope::kHost);
}

TEST(AttemptFacts, WhatAReceiverSaidIsNoShortageOfOurs) {
  AttemptFacts facts = With(CURLE_OUT_OF_MEMORY);
  facts.request_sent = true;
  ExpectMeaning(facts, OutcomeKind::kFailed, "protocol");
}

TEST(AttemptFacts, OneDestinationWithoutPortsHoldsBackNobodyElse) {
  AttemptFacts facts = With(CURLE_COULDNT_CONNECT, ECONNREFUSED);  // by its IPv6 address
  facts.no_port = true;
  ExpectLocalFault(facts, FaultScope::kTarget);
}

TEST(AttemptFacts, AHostWithoutIpv6IsNotOutOfPorts) {
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, EADDRNOTAVAIL), OutcomeKind::kFailed, "unreachable");
}

TEST(AttemptFacts, EveryFailureHasAWord) {
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, ECONNREFUSED), OutcomeKind::kFailed, "refused");
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, EHOSTUNREACH), OutcomeKind::kFailed, "unreachable");
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, ENETUNREACH), OutcomeKind::kFailed, "unreachable");
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, ETIMEDOUT), OutcomeKind::kTimeout, "timeout");
  ExpectMeaning(With(CURLE_COULDNT_CONNECT, EPERM), OutcomeKind::kFailed, "connect");
  ExpectMeaning(With(CURLE_OPERATION_TIMEDOUT), OutcomeKind::kTimeout, "timeout");
  ExpectMeaning(With(CURLE_COULDNT_RESOLVE_HOST), OutcomeKind::kFailed, "dns");
  ExpectMeaning(With(CURLE_PEER_FAILED_VERIFICATION), OutcomeKind::kFailed, "tls");
  ExpectMeaning(With(CURLE_SSL_CONNECT_ERROR), OutcomeKind::kFailed, "tls");
  ExpectMeaning(With(CURLE_RECV_ERROR), OutcomeKind::kFailed, "reset");
  ExpectMeaning(With(CURLE_GOT_NOTHING), OutcomeKind::kFailed, "closed");
  ExpectMeaning(With(CURLE_URL_MALFORMAT), OutcomeKind::kForbidden, "url");
  ExpectMeaning(With(CURLE_LDAP_CANNOT_BIND), OutcomeKind::kFailed, "failed");
  AttemptFacts resend = With(CURLE_ABORTED_BY_CALLBACK);
  resend.resend_stopped = true;
  ExpectMeaning(resend, OutcomeKind::kFailed, "connection lost");
  AttemptFacts denied = With(CURLE_ABORTED_BY_CALLBACK);
  denied.address_denied = true;
  ExpectMeaning(denied, OutcomeKind::kForbidden, "policy");
}

}  // namespace
}  // namespace belfry
