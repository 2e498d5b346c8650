// transfer.h - one attempt on one curl easy handle; used again for the next.
//
// Loop thread only. Options, policy and signer are borrowed and must outlive it. Every option that
// differs between attempts is set for each attempt, so nothing of the one before remains.
//
// One request = one recorded attempt: curl sends a POST again by itself when a reused connection
// dies. Its prereq callback runs before each sending, so the second run of one attempt aborts it;
// so does a socket opened after the first run.
//
// One TLS handshake = one verified certificate: sessions are not resumed, which would carry the
// trust and the identity of another profile along.
//
// curl keeps only the error of the last connect that failed, and keeps it for good. So it is read
// before each further socket is opened, and a transfer that has one is not used again.
#pragma once

#include <curl/curl.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/delivery.h"
#include "delivery/address_policy.h"
#include "delivery/attempt_facts.h"
#include "delivery/curl_multi_loop.h"
#include "delivery/request.h"
#include "delivery/sender_options.h"
#include "delivery/signer.h"
#include "delivery/tls_profiles.h"
#include "delivery/url.h"

namespace belfry {

class Transfer {
 public:
  // nullptr when there is no memory for it.
  static std::unique_ptr<Transfer> Create(const SenderOptions& options, const Clock& clock,
                                          const AddressPolicy& policy, const Signer& signer);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Starts the clock of a new attempt and makes its request. kInvalid: it cannot be sent.
  [[nodiscard]] Status Begin(const Delivery& delivery);
  // The addresses that the host of the URL has, at least one; curl is not to ask anybody else. Each
  // attempt begins with another one: curl 7.88 has no time left for a second when the first does
  // not answer.
  void Pin(const std::vector<IpAddress>& addresses);
  // After Prepare, when curl would not take it after all.
  void Detach() { multi_ = nullptr; }
  // What this attempt may take, and what is left of it; <= 0 when its time is up.
  [[nodiscard]] int64_t limit_ms() const;
  [[nodiscard]] int64_t time_left_ms() const;
  // After this the easy handle may be added to `multi`. False: no memory.
  [[nodiscard]] bool Prepare(CurlMultiLoop* multi, const std::shared_ptr<const TlsProfiles>& tls);

  // How it ended, after the easy handle has left its multi.
  [[nodiscard]] Outcome Conclude(CURLcode result);
  // The same for our own stop: kInterrupted, unless a final status was read.
  [[nodiscard]] Outcome ConcludeInterrupted();
  // For an attempt that ends without curl.
  [[nodiscard]] Outcome ConcludeWith(OutcomeKind kind, std::string_view error) const;

  // Its final status is read, and was so when this was last asked: what is left of the answer
  // serves only to use the connection again. Under way in a multi.
  [[nodiscard]] bool LingersAfterAnswer();
  // The system gave no socket for this attempt, or not for all of its addresses.
  [[nodiscard]] bool lacked_socket() const { return facts_.no_socket; }
  // May be given another attempt.
  [[nodiscard]] bool reusable() const { return curl_errno_ == 0; }

  [[nodiscard]] TimerId timer_id() const { return delivery_.timer->id; }
  [[nodiscard]] CURL* easy() const { return easy_; }
  // Of the attempt's URL; borrowed until the next Begin.
  [[nodiscard]] const UrlTarget& target() const { return target_; }
  [[nodiscard]] CurlMultiLoop* multi() const { return multi_; }

  // The sender's own notes; see CurlSender.
  size_t slot = 0;
  uint64_t lookup = 0;

 private:
  Transfer(CURL* easy, const SenderOptions& options, const Clock& clock,
           const AddressPolicy& policy, const Signer& signer);

  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int BeforeRequest(void* self, char* peer_ip, char* local_ip, int peer_port,
                           int local_port);
  static CURLcode OnTlsContext(CURL* easy, void* context, void* profile);
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);

  [[nodiscard]] bool SetUpOnce();
  void SetCallbacks();
  [[nodiscard]] bool SetMethod();
  void TakeHeader(std::string_view line);
  void TakeStatus();
  void TakeConnectError();

  CURL* easy_;
  const SenderOptions& options_;
  const Clock& clock_;
  const AddressPolicy& policy_;
  const Signer& signer_;

  Delivery delivery_;
  std::string url_;
  UrlTarget target_;
  HeaderList headers_;
  HeaderList pins_;  // CURLOPT_RESOLVE takes the same kind of list
  CurlMultiLoop* multi_ = nullptr;
  std::shared_ptr<const TlsProfiles> tls_;  // one of them is with curl until the attempt ends
  WallMs started_;
  MonoMs started_mono_;
  AttemptFacts facts_;
  std::array<char, CURL_ERROR_SIZE> curl_error_{};  // what curl says in words
  int last_family_ = AF_UNSPEC;                     // of the sockets opened
  int curl_errno_ = 0;                              // as read last
  int requests_ = 0;
  size_t head_bytes_ = 0;
  size_t body_bytes_ = 0;
  bool answer_seen_ = false;
  std::optional<int64_t> retry_after_ms_;
};

}  // namespace belfry
