#include "delivery/transfer.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/limits.h"
#include "delivery/retry_after.h"
#include "delivery/url.h"

namespace belfry {
namespace {

constexpr long kReceiveBufferBytes = 4 * 1024;
constexpr std::string_view kRetryAfter = "retry-after:";

template <typename T>
void Set(CURL* easy, CURLoption option, T value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char want, char c) {
           return want == (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
         });
}

}  // namespace

std::unique_ptr<Transfer> Transfer::Create(const SenderOptions& options, const Clock& clock,
                                           const AddressPolicy& policy, const Signer& signer) {
  CURL* easy = curl_easy_init();
  if (easy == nullptr) return nullptr;
  std::unique_ptr<Transfer> transfer(new Transfer(easy, options, clock, policy, signer));
  if (!transfer->SetUpOnce()) return nullptr;
  return transfer;
}

Transfer::Transfer(CURL* easy, const SenderOptions& options, const Clock& clock,
                   const AddressPolicy& policy, const Signer& signer)
    : easy_(easy), options_(options), clock_(clock), policy_(policy), signer_(signer) {}

Transfer::~Transfer() { curl_easy_cleanup(easy_); }

bool Transfer::SetUpOnce() {
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_NOPROGRESS, 1L);
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy_, CURLOPT_MAXREDIRS, 0L);
  Set(easy_, CURLOPT_UNRESTRICTED_AUTH, 0L);
  Set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Set(easy_, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  Set(easy_, CURLOPT_PATH_AS_IS, 1L);
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_HTTP09_ALLOWED, 0L);
  Set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  Set(easy_, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  // Issuers come with the profile. By itself curl would read all of the system's for each
  // connection.
  Set(easy_, CURLOPT_CAINFO, static_cast<const char*>(nullptr));
  Set(easy_, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  Set(easy_, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  Set(easy_, CURLOPT_MAXAGE_CONN, static_cast<long>(kConnectionIdleMsMax / kSecondMs));
  Set(easy_, CURLOPT_MAXLIFETIME_CONN, static_cast<long>(kConnectionLifeMsMax / kSecondMs));
  SetCallbacks();

  // These copy their strings, so they may lack memory.
  bool ok = curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
  ok &= curl_easy_setopt(easy_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK;
  // Enough to keep curl from the environment's proxies; an empty CURLOPT_PROXY it would copy for
  // every attempt.
  ok &= curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*") == CURLE_OK;
  return ok;
}

void Transfer::SetCallbacks() {
  Set(easy_, CURLOPT_PRIVATE, this);
  Set(easy_, CURLOPT_ERRORBUFFER, curl_error_.data());
  Set(easy_, CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  Set(easy_, CURLOPT_OPENSOCKETDATA, this);
  Set(easy_, CURLOPT_CLOSESOCKETFUNCTION, &CurlMultiLoop::CloseSocket);
  Set(easy_, CURLOPT_PREREQFUNCTION, &BeforeRequest);
  Set(easy_, CURLOPT_PREREQDATA, this);
  Set(easy_, CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
  Set(easy_, CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(easy_, CURLOPT_HEADERDATA, this);
  Set(easy_, CURLOPT_WRITEFUNCTION, &OnBody);
  Set(easy_, CURLOPT_WRITEDATA, this);
}

Status Transfer::Begin(const Delivery& delivery) {
  delivery_ = delivery;
  started_ = clock_.Wall();
  started_mono_ = clock_.Mono();
  facts_ = AttemptFacts{};
  curl_error_[0] = '\0';
  last_family_ = AF_UNSPEC;
  requests_ = 0;
  head_bytes_ = 0;
  body_bytes_ = 0;
  answer_seen_ = false;
  retry_after_ms_.reset();
  multi_ = nullptr;
  lookup = 0;
  pins_.Clear();
  const Timer& timer = *delivery.timer;
  if (timer.append_id) {
    JoinId(timer.url, timer.id, &url_);
  } else {
    url_ = timer.url;
  }
  target_ = TargetOfUrl(url_);
  return BuildHeaders(delivery, started_, options_.store_id, options_.version, signer_, headers_);
}

void Transfer::Pin(const std::vector<IpAddress>& addresses) {
  // With the plus curl lets the entry go after a while; it is given anew with every attempt.
  std::string entry = "+" + std::string(target_.host) + ":" + std::to_string(target_.port) + ":";
  for (size_t i = 0; i < addresses.size(); ++i) {
    const IpAddress& ip = addresses[(i + delivery_.attempt - 1) % addresses.size()];
    if (i > 0) entry += ',';
    entry += ip.v6 ? "[" + FormatIp(ip) + "]" : FormatIp(ip);
  }
  pins_.Clear();
  pins_.Add(entry);
}

int64_t Transfer::limit_ms() const {
  const int64_t own_ms = delivery_.timer->timeout_ms;
  return own_ms > 0 ? own_ms : options_.timeout_ms;
}

int64_t Transfer::time_left_ms() const { return limit_ms() - (clock_.Mono() - started_mono_); }

bool Transfer::SetMethod() {
  const Timer& timer = *delivery_.timer;
  const bool has_length = !timer.body.empty() || timer.method == Method::kPost ||
                          timer.method == Method::kPut || timer.method == Method::kPatch;
  if (has_length) {
    Set(easy_, CURLOPT_POST, 1L);
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(timer.body.size()));
    Set(easy_, CURLOPT_POSTFIELDS, timer.body.c_str());
  } else {
    Set(easy_, CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
    Set(easy_, CURLOPT_HTTPGET, 1L);
  }
  // What curl sends by itself it need not copy for every attempt.
  if (timer.method == (has_length ? Method::kPost : Method::kGet)) {
    Set(easy_, CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
    return true;
  }
  const std::string method(MethodName(timer.method));
  return curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method.c_str()) == CURLE_OK;
}

bool Transfer::Prepare(CurlMultiLoop* multi, const std::shared_ptr<const TlsProfiles>& tls) {
  multi_ = multi;
  if (url_.starts_with("https:")) {
    tls_ = tls;
    const TlsProfile& profile = tls_->For(target_);
    Set(easy_, CURLOPT_SSLVERSION, profile.CurlMinVersion());
    Set(easy_, CURLOPT_SSL_CTX_DATA, &profile);
  }
  const int64_t left_ms = std::max<int64_t>(time_left_ms(), 1);
  Set(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(left_ms));
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::clamp<int64_t>(options_.connect_timeout_ms, 1, left_ms)));
  Set(easy_, CURLOPT_CLOSESOCKETDATA, multi);
  Set(easy_, CURLOPT_HTTPHEADER, headers_.Link());
  Set(easy_, CURLOPT_RESOLVE, pins_.Link());
  return SetMethod() && curl_easy_setopt(easy_, CURLOPT_URL, url_.c_str()) == CURLE_OK;
}

curl_socket_t Transfer::OpenSocket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(self);
  if (transfer->requests_ > 0) {
    // The request went out on a reused connection that died; a new one is only for a re-send.
    transfer->facts_.resend_stopped = true;
    return CURL_SOCKET_BAD;
  }
  if (!transfer->policy_.Allows(&address->addr)) {
    transfer->facts_.address_denied = transfer->facts_.sockets_opened == 0;
    return CURL_SOCKET_BAD;
  }
  transfer->TakeConnectError();
  const int fd =
      socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    const bool ours = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    transfer->facts_.no_socket |= ours;
    return CURL_SOCKET_BAD;
  }
  ++transfer->facts_.sockets_opened;
  transfer->facts_.address_denied = false;
  transfer->last_family_ = address->family;
  return fd;
}

void Transfer::TakeConnectError() {
  long now = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &now);
  const int before = std::exchange(curl_errno_, static_cast<int>(now));
  // This error comes at once, so it is the last socket's; for an IPv6 address it means that there
  // is no IPv6 here. The same error as before may be that of a socket before.
  if (curl_errno_ != EADDRNOTAVAIL) {
    facts_.os_errno = curl_errno_;
  } else if (before != EADDRNOTAVAIL) {
    facts_.no_port |= last_family_ == AF_INET;
    if (facts_.os_errno == 0) facts_.os_errno = EADDRNOTAVAIL;
  }
}

int Transfer::BeforeRequest(void* self, char* peer_ip, char* /*local_ip*/, int /*peer_port*/,
                            int /*local_port*/) {
  auto* transfer = static_cast<Transfer*>(self);
  if (++transfer->requests_ > 1) {
    transfer->facts_.resend_stopped = true;
    return CURL_PREREQFUNC_ABORT;
  }
  // Connections are reused by name: the policy may have changed since this one was opened.
  if (peer_ip == nullptr || !transfer->policy_.AllowsText(peer_ip)) {
    transfer->facts_.address_denied = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer->facts_.request_sent = true;
  return CURL_PREREQFUNC_OK;
}

CURLcode Transfer::OnTlsContext(CURL* /*easy*/, void* context, void* profile) {
  return static_cast<const TlsProfile*>(profile)->Apply(static_cast<ssl_ctx_st*>(context));
}

size_t Transfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const size_t length = size * count;
  transfer->head_bytes_ += length;
  if (transfer->head_bytes_ > kResponseHeadBytesMax) return 0;
  transfer->TakeHeader({bytes, length});
  return length;
}

void Transfer::TakeHeader(std::string_view line) {
  if (StartsWithIgnoringCase(line, "http/")) {
    retry_after_ms_.reset();  // it belonged to an interim answer
  } else if (StartsWithIgnoringCase(line, kRetryAfter)) {
    retry_after_ms_ = ParseRetryAfter(line.substr(kRetryAfter.size()), clock_.Wall());
  }
}

size_t Transfer::OnBody(char* /*bytes*/, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  transfer->body_bytes_ += size * count;
  return transfer->body_bytes_ > kResponseBytesMax ? 0 : size * count;
}

// Until the request is sent curl may still have the status of the attempt before.
void Transfer::TakeStatus() {
  if (facts_.request_sent) curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &facts_.status);
}

bool Transfer::LingersAfterAnswer() {
  TakeStatus();
  return std::exchange(answer_seen_, facts_.status >= kFirstFinalStatus) && answer_seen_;
}

Outcome Transfer::Conclude(CURLcode result) {
  TakeStatus();
  TakeConnectError();
  facts_.result = result;
  // curl has no code for this; the words are OpenSSL's.
  facts_.tls_alert = std::string_view(curl_error_.data()).find(" alert ") != std::string_view::npos;
  tls_.reset();  // after a change the old keys are to leave memory
  const Meaning meaning = Judge(facts_);
  Outcome outcome = ConcludeWith(meaning.kind, meaning.error);
  outcome.fault_scope = meaning.fault_scope;
  if (meaning.kind == OutcomeKind::kAnswered) {
    outcome.status = static_cast<int32_t>(facts_.status);
    outcome.retry_after_ms = retry_after_ms_;
  }
  // Only on a connection that had answered before does curl want to send again.
  outcome.closed_while_idle = facts_.resend_stopped && meaning.kind == OutcomeKind::kFailed;
  return outcome;
}

Outcome Transfer::ConcludeInterrupted() {
  Outcome outcome = Conclude(CURLE_ABORTED_BY_CALLBACK);
  if (outcome.kind == OutcomeKind::kAnswered) return outcome;
  return ConcludeWith(OutcomeKind::kInterrupted, "interrupted");
}

Outcome Transfer::ConcludeWith(OutcomeKind kind, std::string_view error) const {
  Outcome outcome;
  outcome.id = delivery_.timer->id;
  outcome.kind = kind;
  outcome.error = error;
  outcome.started = started_;
  outcome.duration_ms = clock_.Mono() - started_mono_;
  return outcome;
}

}  // namespace belfry
