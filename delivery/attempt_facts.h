// attempt_facts.h - what is known when curl is done with an attempt, and what it means. Any thread.
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "base/delivery.h"

namespace belfry {

constexpr long kFirstFinalStatus = 200;  // those below announce another answer

struct AttemptFacts {
  CURLcode result = CURLE_OK;
  long status = 0;   // of the last status line read; 0: none
  int os_errno = 0;  // of the last failed connect that says something about the target
  int sockets_opened = 0;
  bool no_port = false;         // an IPv4 address could not be tried: no local port was free
  bool address_denied = false;  // before a socket was opened, or before the request was written
  bool no_socket = false;       // the system gave none
  bool request_sent = false;    // or was about to be: from here on the receiver has a say
  bool tls_alert = false;       // the receiver ended TLS with a reason
  bool resend_stopped = false;  // curl was about to send the request a second time
};

struct Meaning {
  OutcomeKind kind = OutcomeKind::kFailed;
  std::string_view error;  // one of the words below; "" for kAnswered
  FaultScope fault_scope = FaultScope::kHost;
};

// Words: "policy" "url" (kForbidden), "timeout" (kTimeout), "local fault" (kLocalFault), and for
// kFailed "dns" "refused" "unreachable" "connect" "tls" "reset" "connection lost" "closed"
// "protocol" "failed". A final status that was read wins over whatever happened to the connection
// later.
[[nodiscard]] Meaning Judge(const AttemptFacts& facts);

}  // namespace belfry
