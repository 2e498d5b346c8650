#include "delivery/attempt_facts.h"

#include <cerrno>

namespace belfry {
namespace {

Meaning Failed(std::string_view error) { return {OutcomeKind::kFailed, error}; }
Meaning LocalFault(FaultScope scope) { return {OutcomeKind::kLocalFault, "local fault", scope}; }

Meaning JudgeConnect(const AttemptFacts& facts) {
  if (facts.no_port) return LocalFault(FaultScope::kTarget);
  switch (facts.os_errno) {
    case ECONNREFUSED:
      return Failed("refused");
    case ECONNRESET:
      return Failed("reset");
    case ETIMEDOUT:
      return {OutcomeKind::kTimeout, "timeout"};
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:  // a host without IPv6 says so to every IPv6 address, always
      return Failed("unreachable");
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return LocalFault(FaultScope::kHost);
    default:
      return Failed("connect");
  }
}

}  // namespace

Meaning Judge(const AttemptFacts& facts) {
  if (facts.status >= kFirstFinalStatus) return {OutcomeKind::kAnswered, ""};
  if (facts.address_denied) return {OutcomeKind::kForbidden, "policy"};
  if (facts.resend_stopped) return Failed("connection lost");
  if (facts.no_socket && facts.sockets_opened == 0) return LocalFault(FaultScope::kHost);
  switch (facts.result) {
    case CURLE_OPERATION_TIMEDOUT:
      return {OutcomeKind::kTimeout, "timeout"};
    case CURLE_COULDNT_CONNECT:
      return JudgeConnect(facts);
    case CURLE_COULDNT_RESOLVE_HOST:
      return Failed("dns");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Failed("tls");
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // With TLS 1.3 who misses a certificate of ours says so after the handshake.
      return Failed(facts.tls_alert ? "tls" : "reset");
    case CURLE_GOT_NOTHING:
      return Failed("closed");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_WRITE_ERROR:  // a head beyond kResponseHeadBytesMax
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OK:  // and no status: whatever came was no answer
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
      return Failed("protocol");
    case CURLE_OUT_OF_MEMORY:
      // Older versions of curl say this of a header line that is too long for them.
      return facts.request_sent ? Failed("protocol") : LocalFault(FaultScope::kHost);
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:  // our own file, not the receiver's
    case CURLE_SSL_CRL_BADFILE:
      return LocalFault(FaultScope::kHost);
    case CURLE_URL_MALFORMAT:
      return {OutcomeKind::kForbidden, "url"};
    default:
      return Failed("failed");
  }
}

}  // namespace belfry
