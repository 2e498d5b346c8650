#include "delivery/curl_sender.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <mutex>
#include <utility>

#include "base/limits.h"
#include "delivery/url.h"

namespace belfry {
namespace {

constexpr int64_t kWatchdogIntervalMs = kSecondMs;
constexpr int64_t kWatchdogGraceMs = kSecondMs;

void InitCurlOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    unsetenv("SSLKEYLOGFILE");  // curl would write the keys of every connection there
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    // What a TlsProfile is applied to is OpenSSL's.
    const char* tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
    CHECK(tls != nullptr && std::string_view(tls).starts_with("OpenSSL/"));
  });
}

size_t MultisFor(size_t max_in_flight) {
  const size_t wanted = (max_in_flight + kTransfersPerMulti - 1) / kTransfersPerMulti;
  return std::clamp<size_t>(wanted, 1, kMultisMax);
}

}  // namespace

Result<std::unique_ptr<CurlSender>> CurlSender::Open(uv_loop_t* loop, const Clock& clock,
                                                     SenderOptions options, DoneFn done,
                                                     FoundFn found) {
  InitCurlOnce();
  auto tls = std::exchange(options.tls, nullptr);
  if (tls == nullptr) tls = std::make_shared<TlsProfiles>(TlsProfile(SystemIssuers::Load()));
  std::unique_ptr<CurlSender> sender(
      new CurlSender(loop, clock, std::move(options), std::move(done), std::move(found)));
  CurlSender* self = sender.get();
  self->tls_ = std::move(tls);
  auto resolver = Resolver::Open(loop, clock, self->options_.dns_servers,
                                 [self](Resolver::Ticket ticket, const LookupAnswer& answer) {
                                   self->AnswerCame(ticket, answer);
                                 });
  if (!resolver.ok()) return resolver.status();
  self->resolver_ = std::move(resolver.value());
  return sender;
}

CurlSender::CurlSender(uv_loop_t* loop, const Clock& clock, SenderOptions options, DoneFn done,
                       FoundFn found)
    : loop_(loop),
      clock_(clock),
      options_(std::move(options)),
      policy_(options_.policy),
      done_(std::move(done)),
      found_(std::move(found)),
      immediate_(
          loop, [](void* self) { static_cast<CurlSender*>(self)->ReportFinished(); }, this),
      watchdog_(
          loop, [](void* self) { static_cast<CurlSender*>(self)->CutOverdue(); }, this) {
  OpenMultis();
}

void CurlSender::OpenMultis() {
  const size_t multis = MultisFor(options_.max_in_flight);
  transfers_per_multi_ = (options_.max_in_flight + multis - 1) / multis;
  const size_t connections = (options_.max_in_flight + options_.idle_connections_max) / multis;
  for (size_t i = 0; i < multis; ++i) {
    multis_.push_back(std::make_unique<CurlMultiLoop>(
        loop_, std::max(transfers_per_multi_, connections),
        [this](CURL* easy, CURLcode result) { CurlDone(easy, result); }));
  }
}

CurlSender::~CurlSender() {
  for (const auto& transfer : active_) {
    if (transfer->multi() != nullptr) transfer->multi()->Remove(transfer->easy());
  }
}

void CurlSender::SetTls(std::shared_ptr<const TlsProfiles> tls) {
  if (tls_->SameAs(*tls)) return;
  tls_ = std::move(tls);
  std::move(multis_.begin(), multis_.end(), std::back_inserter(retired_));
  multis_.clear();
  OpenMultis();
  DropRetired();
}

void CurlSender::DropRetired() {
  std::erase_if(retired_, [](const auto& multi) { return multi->in_flight() == 0; });
}

std::unique_ptr<Transfer> CurlSender::TakeTransfer() {
  if (idle_.empty()) return Transfer::Create(options_, clock_, policy_, signer_);
  auto transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

Sender::Begun CurlSender::Start(const Delivery& delivery) {
  ++in_flight_;
  auto owned = TakeTransfer();
  if (owned == nullptr) {
    Outcome outcome;
    outcome.id = delivery.timer->id;
    outcome.kind = OutcomeKind::kLocalFault;
    outcome.error = "local fault";
    outcome.started = clock_.Wall();
    finished_.push_back({nullptr, std::move(outcome)});
    immediate_.Request();
    return Begun::kSending;
  }
  Transfer* transfer = owned.get();
  transfer->slot = active_.size();
  active_.push_back(std::move(owned));
  if (active_.size() == 1) watchdog_.StartEvery(kWatchdogIntervalMs);
  if (!transfer->Begin(delivery).ok()) {
    FinishWith(transfer, OutcomeKind::kForbidden, "headers");
    return Begun::kSending;
  }
  return Resolve(transfer);
}

Sender::Begun CurlSender::Resolve(Transfer* transfer) {
  const UrlTarget& target = transfer->target();
  if (const auto ip = ParseIp(target.host)) {
    if (policy_.Allows(*ip)) {
      Send(transfer);
    } else {
      FinishWith(transfer, OutcomeKind::kForbidden, "policy");
    }
    return Begun::kSending;
  }
  const int64_t limit_ms = std::min(options_.resolve_timeout_ms, transfer->time_left_ms());
  Resolver::Ticket ticket = 0;
  const auto answer = resolver_->Lookup(std::string(target.host), limit_ms, &ticket);
  if (answer) {
    LookedUp(transfer, *answer, false);
    return Begun::kSending;
  }
  transfer->lookup = ticket;
  lookups_[ticket] = transfer;
  return Begun::kLookingUp;
}

void CurlSender::AnswerCame(Resolver::Ticket ticket, const LookupAnswer& answer) {
  Transfer* transfer = lookups_.at(ticket);
  lookups_.erase(ticket);
  transfer->lookup = 0;
  LookedUp(transfer, answer, true);
}

void CurlSender::LookedUp(Transfer* transfer, const LookupAnswer& answer, bool asks) {
  switch (answer.result) {
    case LookupResult::kFound:
      break;
    case LookupResult::kFailed:
      return FinishWith(transfer, OutcomeKind::kFailed, "dns");
    case LookupResult::kTimeout:
      if (transfer->limit_ms() > options_.resolve_timeout_ms) {
        return FinishWith(transfer, OutcomeKind::kFailed, "dns");
      }
      return FinishWith(transfer, OutcomeKind::kTimeout, "timeout");
    case LookupResult::kBusy:
      return FinishAsFaultOfTarget(transfer);
  }
  std::vector<IpAddress> allowed;
  std::copy_if(answer.addresses.begin(), answer.addresses.end(), std::back_inserter(allowed),
               [&](const IpAddress& ip) { return policy_.Allows(ip); });
  if (allowed.empty()) return FinishWith(transfer, OutcomeKind::kForbidden, "policy");
  if (asks && found_ && !found_(transfer->timer_id())) {
    return FinishWith(transfer, OutcomeKind::kNoSlot, "");
  }
  transfer->Pin(allowed);
  Send(transfer);
}

void CurlSender::Send(Transfer* transfer) {
  CurlMultiLoop& multi = PickMulti(transfer->target().host);
  if (!transfer->Prepare(&multi, tls_) || !multi.Add(transfer->easy())) {
    transfer->Detach();
    FinishWith(transfer, OutcomeKind::kLocalFault, "local fault");
  }
}

CurlMultiLoop& CurlSender::PickMulti(std::string_view host) {
  const size_t first = std::hash<std::string_view>{}(host) % multis_.size();
  for (size_t i = 0; i < multis_.size(); ++i) {
    CurlMultiLoop& multi = *multis_[(first + i) % multis_.size()];
    if (multi.in_flight() < transfers_per_multi_) return multi;
  }
  return *multis_[first];
}

void CurlSender::CurlDone(CURL* easy, CURLcode result) {
  char* self = nullptr;
  CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self) == CURLE_OK);
  auto* transfer = reinterpret_cast<Transfer*>(self);
  drop_idle_ |= transfer->lacked_socket();
  Finish(transfer, transfer->Conclude(result));
}

void CurlSender::FinishWith(Transfer* transfer, OutcomeKind kind, std::string_view error) {
  Finish(transfer, transfer->ConcludeWith(kind, error));
}

void CurlSender::FinishAsFaultOfTarget(Transfer* transfer) {
  Outcome outcome = transfer->ConcludeWith(OutcomeKind::kLocalFault, "local fault");
  outcome.fault_scope = FaultScope::kTarget;
  Finish(transfer, std::move(outcome));
}

void CurlSender::Finish(Transfer* transfer, Outcome outcome) {
  const size_t slot = transfer->slot;
  CHECK(active_[slot].get() == transfer);
  finished_.push_back({std::move(active_[slot]), std::move(outcome)});
  if (slot + 1 < active_.size()) {
    active_[slot] = std::move(active_.back());
    active_[slot]->slot = slot;
  }
  active_.pop_back();
  if (active_.empty()) watchdog_.Stop();
  immediate_.Request();
}

void CurlSender::ReportFinished() {
  if (std::exchange(drop_idle_, false)) {
    for (const auto& multi : multis_) multi->DropIdle();
    for (const auto& multi : retired_) multi->DropIdle();
  }
  DropRetired();
  // Who is told may start the next, and so add to finished_.
  std::vector<Finished> finished = std::exchange(reported_, {});
  finished.swap(finished_);
  for (Finished& one : finished) {
    if (one.transfer == nullptr || !one.transfer->reusable()) continue;
    if (idle_.size() < kIdleTransfersMax) idle_.push_back(std::move(one.transfer));
  }
  for (Finished& one : finished) {
    --in_flight_;
    done_(std::move(one.outcome));
  }
  finished.clear();
  reported_ = std::move(finished);
}

void CurlSender::InterruptAll() {
  while (!active_.empty()) {
    Transfer* transfer = active_.back().get();
    if (transfer->lookup != 0) {
      resolver_->Cancel(transfer->lookup);
      lookups_.erase(transfer->lookup);
    }
    if (transfer->multi() != nullptr) transfer->multi()->Remove(transfer->easy());
    Finish(transfer, transfer->ConcludeInterrupted());
  }
}

void CurlSender::CutOverdue() {
  for (size_t i = active_.size(); i-- > 0;) {
    Transfer* transfer = active_[i].get();
    if (transfer->multi() == nullptr) continue;
    const bool overdue = transfer->time_left_ms() <= -kWatchdogGraceMs;
    if (!transfer->LingersAfterAnswer() && !overdue) continue;
    transfer->multi()->Remove(transfer->easy());
    Finish(transfer, transfer->Conclude(CURLE_OPERATION_TIMEDOUT));
  }
}

}  // namespace belfry
