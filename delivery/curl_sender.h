// curl_sender.h - the Sender of the daemon: libcurl on the libuv loop.
//
// Loop thread only. Rules:
// (1) One request on the wire = one Outcome; see transfer.h.
// (2) Every address is judged by the policy before it is connected to, and the peer again before
//     the request is written, on reused connections too.
// (3) DoneFn runs from the loop, never from within Start or InterruptAll; it may call both.
// (4) Who looks a name up holds no connection, and asks before it takes one.
// (5) Targets keep to their multi handle, so that connections are reused, until it holds its share
//     of max_in_flight; then they spill over to the next.
// (6) The final status decides. Its headers and body get one to two seconds more, so that the
//     connection can be used again; then it is closed and the slot is free.
// (7) A connection is never used with another TlsProfile than the one it was opened with. curl does
//     not compare what an SSL_CTX_FUNCTION did, nor private keys; so when profiles change, the
//     multi handles with their connections retire, and attempts that are sent from then on get new
//     ones.
#pragma once

#include <uv.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "delivery/curl_multi_loop.h"
#include "delivery/resolver.h"
#include "delivery/sender.h"
#include "delivery/sender_options.h"
#include "delivery/transfer.h"

namespace belfry {

class CurlSender final : public Sender {
 public:
  // `loop` and `clock` must outlive this. kInvalid: dns_servers. SIGPIPE must be ignored by the
  // process: TLS writes may raise it.
  [[nodiscard]] static Result<std::unique_ptr<CurlSender>> Open(uv_loop_t* loop, const Clock& clock,
                                                                SenderOptions options, DoneFn done,
                                                                FoundFn found = nullptr);
  // What is under way is cut off without an Outcome: InterruptAll first. Not from within DoneFn.
  // Run the loop once more before closing it.
  ~CurlSender() override;

  Begun Start(const Delivery& delivery) override;
  // An attempt whose final status was read already is kAnswered, not kInterrupted.
  void InterruptAll() override;
  // Started and not yet given to DoneFn.
  [[nodiscard]] size_t in_flight() const override { return in_flight_; }

  // From now on; open connections included.
  void SetPolicy(AddressPolicy policy) { policy_ = std::move(policy); }
  // For attempts that begin from now on.
  void SetSigner(Signer signer) { signer_ = std::move(signer); }
  // The same list of targets as before, read again; for attempts that are sent from now on. Open
  // connections end with what is under way on them, unless nothing has changed. Not from DoneFn.
  void SetTls(std::shared_ptr<const TlsProfiles> tls);

 private:
  struct Finished {
    std::unique_ptr<Transfer> transfer;  // nullptr when there was no memory for one
    Outcome outcome;
  };

  CurlSender(uv_loop_t* loop, const Clock& clock, SenderOptions options, DoneFn done,
             FoundFn found);

  void OpenMultis();
  void DropRetired();
  [[nodiscard]] std::unique_ptr<Transfer> TakeTransfer();
  Begun Resolve(Transfer* transfer);
  void AnswerCame(Resolver::Ticket ticket, const LookupAnswer& answer);
  // `asks`: it gave its connection back, see FoundFn.
  void LookedUp(Transfer* transfer, const LookupAnswer& answer, bool asks);
  void Send(Transfer* transfer);
  [[nodiscard]] CurlMultiLoop& PickMulti(std::string_view host);
  void CurlDone(CURL* easy, CURLcode result);
  void Finish(Transfer* transfer, Outcome outcome);
  void FinishWith(Transfer* transfer, OutcomeKind kind, std::string_view error);
  void FinishAsFaultOfTarget(Transfer* transfer);
  void ReportFinished();
  void CutOverdue();

  uv_loop_t* loop_;
  const Clock& clock_;
  const SenderOptions options_;
  AddressPolicy policy_;
  std::shared_ptr<const TlsProfiles> tls_;
  Signer signer_;
  DoneFn done_;
  FoundFn found_;
  Immediate immediate_;
  UvTimer watchdog_;  // for rule (6), and should curl ever miss a time-out
  std::unique_ptr<Resolver> resolver_;
  std::vector<std::unique_ptr<CurlMultiLoop>> multis_;
  std::vector<std::unique_ptr<CurlMultiLoop>> retired_;  // until nothing is under way on them
  std::vector<std::unique_ptr<Transfer>> active_;        // active_[i]->slot == i
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::vector<Finished> finished_;
  std::vector<Finished> reported_;  // storage only
  absl::flat_hash_map<Resolver::Ticket, Transfer*> lookups_;
  size_t in_flight_ = 0;
  size_t transfers_per_multi_ = 0;
  bool drop_idle_ = false;  // there were no files for an attempt
};

}  // namespace belfry
