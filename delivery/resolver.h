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
// (3) Each waiter has its own time-out. The query goes on without it and fills the cache, unless
//     others need the room: see (5).
// (4) Of each family half of kDnsAddressesMax are kept, IPv6 first unless there is no route to it.
// (5) c-ares can drop a channel's queries only all at once, so there are two channels. When the
//     newer one has kDnsChannelQueriesMax, a third is opened and the oldest closed. What somebody
//     waits for there is asked again by the newest; what nobody waits for is dropped.
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
  kBusy,     // kDnsQueriesMax names are being waited for
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
  struct Channel;
  struct Query {
    Resolver* owner = nullptr;
    Channel* channel = nullptr;
    std::string name;
    std::vector<Ticket> waiters;  // some of them gone
    size_t waiting = 0;           // of them, not gone
  };
  struct Waiter {
    int64_t deadline_ms = 0;  // in the loop's time
    Query* query = nullptr;   // nullptr once it is answered
  };
  struct Answered {
    std::vector<Ticket> waiters;
    LookupAnswer answer;
  };
  struct Poll;

  Resolver(uv_loop_t* loop, const Clock& clock, std::string servers, DoneFn done);

  [[nodiscard]] Result<std::unique_ptr<Channel>> OpenChannel();
  [[nodiscard]] bool NextChannel();
  [[nodiscard]] bool MakeRoom();
  [[nodiscard]] const LookupAnswer* Kept(const std::string& name);
  void Keep(const std::string& name, LookupAnswer answer, int64_t ttl_ms);
  void Forget(const std::string& name);
  void Ask(const std::string& name);
  void AskNewest(Query* query);
  void Drop(Query* query);
  void Finish(Query* query, int status, ares_addrinfo* info);
  void DeliverAnswers();
  void Deliver(Ticket ticket, const LookupAnswer& answer);
  void Expire();
  void ArmDeadline();
  void Process(Channel& channel, ares_socket_t readable, ares_socket_t writable);
  void Tick();
  void ArmTick();

  static void OnAnswer(void* query, int status, int timeouts, ares_addrinfo* info);
  static void OnSocketState(void* channel, ares_socket_t fd, int readable, int writable);

  uv_loop_t* loop_;
  const Clock& clock_;
  const std::string servers_;
  DoneFn done_;
  std::unique_ptr<Channel> newest_;
  std::unique_ptr<Channel> older_;  // may be nullptr
  int64_t config_mtime_ns_ = 0;
  UvTimer deadline_timer_;
  UvTimer tick_timer_;   // for c-ares, which repeats a query that nobody answered
  Immediate immediate_;  // answers leave c-ares' stack before they are delivered

  absl::flat_hash_map<std::string, Entry> cache_;
  std::list<std::string> oldest_first_;
  absl::flat_hash_map<std::string, std::unique_ptr<Query>> queries_;
  absl::flat_hash_map<Ticket, Waiter> waiters_;
  std::set<std::pair<int64_t, Ticket>> deadlines_;
  std::vector<Answered> answered_;
  absl::flat_hash_map<ares_socket_t, Poll*> polls_;
  std::vector<Query*> dropped_;  // by a channel that is being closed, and waited for
  size_t waited_for_ = 0;        // queries with waiters
  Ticket last_ticket_ = 0;
  bool ticking_ = false;
  bool closing_ = false;
};

}  // namespace belfry
