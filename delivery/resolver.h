// resolver.h - names to addresses, by c-ares on the libuv loop. The hosts file first, then DNS.
//
// Loop thread only. A look-up never blocks the loop (but for reading the hosts file, a small one:
// /etc/hosts, or what the environment calls CARES_HOSTS). `localhost` is loopback whatever they
// say.
//
// Rules:
// (1) One query in flight per name; who asks meanwhile waits for the same answer.
// (2) Answers are kept between kDnsTtlMsMin and kDnsTtlMsMax, as their TTL says; failures for
//     kDnsNegativeTtlMs; at most kDnsNamesMax names, the oldest go first.
// (3) Each waiter has its own time-out. The query goes on without it and fills the cache.
#pragma once

#include <ares.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "delivery/immediate.h"
#include "delivery/ip_address.h"
#include "delivery/uv_handle.h"

namespace belfry {

enum class LookupResult {
  kFound,    // at least one address
  kFailed,   // no such name, no address, or the servers did not say
  kTimeout,  // the waiter's time was up
  kBusy,     // kDnsQueriesMax names are being asked for
};

struct LookupAnswer {
  LookupResult result = LookupResult::kFailed;
  std::vector<IpAddress> addresses;  // not empty exactly for kFound; at most kDnsAddressesMax
};

class Resolver {
 public:
  using Ticket = uint64_t;  // never 0
  using DoneFn = std::function<void(Ticket, const LookupAnswer&)>;

  // `servers`: "" for /etc/resolv.conf, which is read again when it changed; else "ip:port,...".
  // `clock` must outlive this. kInvalid: c-ares does not take the servers.
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> Open(uv_loop_t* loop, const Clock& clock,
                                                              std::string servers, DoneFn done);
  // Waiters are dropped without DoneFn. Not from within DoneFn.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The answer when it is known at once. Otherwise nullopt, `*ticket` is set, and DoneFn runs once
  // for it within `timeout_ms`, unless cancelled; never from within this call.
  [[nodiscard]] std::optional<LookupAnswer> Lookup(const std::string& name, int64_t timeout_ms,
                                                   Ticket* ticket);
  // DoneFn will not run for it. The ticket is waiting.
  void Cancel(Ticket ticket);

  [[nodiscard]] size_t names_kept() const { return cache_.size(); }
  [[nodiscard]] size_t queries() const { return queries_.size(); }

 private:
  struct Entry {
    LookupAnswer answer;
    MonoMs expires;
    std::list<std::string>::iterator place;  // in oldest_first_
  };
  struct Query {
    Resolver* owner = nullptr;
    std::string name;
    std::vector<Ticket> waiters;
  };
  struct Waiter {
    int64_t deadline_ms = 0;  // in the loop's time
  };
  struct Answered {
    std::vector<Ticket> waiters;
    LookupAnswer answer;
  };
  struct Poll;

  Resolver(uv_loop_t* loop, const Clock& clock, std::string servers, DoneFn done);

  [[nodiscard]] Status OpenChannel();
  void ReopenIfChanged();
  [[nodiscard]] const LookupAnswer* Kept(const std::string& name);
  void Keep(const std::string& name, LookupAnswer answer, int64_t ttl_ms);
  void Forget(const std::string& name);
  void Ask(const std::string& name);
  void Finish(Query* query, int status, ares_addrinfo* info);
  void DeliverAnswers();
  void Deliver(Ticket ticket, const LookupAnswer& answer);
  void Expire();
  void ArmDeadline();
  void Process(ares_socket_t readable, ares_socket_t writable);

  static void OnAnswer(void* query, int status, int timeouts, ares_addrinfo* info);
  static void OnSocketState(void* self, ares_socket_t fd, int readable, int writable);

  uv_loop_t* loop_;
  const Clock& clock_;
  const std::string servers_;
  DoneFn done_;
  ares_channel channel_ = nullptr;
  int64_t config_mtime_ns_ = 0;
  UvTimer deadline_timer_;
  UvTimer retry_timer_;  // for c-ares, which repeats a query that nobody answered
  Immediate immediate_;  // answers leave c-ares' stack before they are delivered

  absl::flat_hash_map<std::string, Entry> cache_;
  std::list<std::string> oldest_first_;
  absl::flat_hash_map<std::string, std::unique_ptr<Query>> queries_;
  absl::flat_hash_map<Ticket, Waiter> waiters_;
  std::set<std::pair<int64_t, Ticket>> deadlines_;
  std::vector<Answered> answered_;
  absl::flat_hash_map<ares_socket_t, Poll*> polls_;
  Ticket last_ticket_ = 0;
};

}  // namespace belfry
