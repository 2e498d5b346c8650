#include "delivery/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <string_view>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr char kConfigPath[] = "/etc/resolv.conf";
// 1 s, then 2 s: a name with a silent AAAA still yields its A within kResolveTimeoutMs.
constexpr int kFirstTimeoutMs = 1000;
constexpr int kTries = 2;
// c-ares could name the next moment, but walks through all its queries to find it. What is due to
// be repeated goes out in one burst a tick.
constexpr int64_t kTickMs = 20;

int64_t ConfigMtimeNs() {
  struct stat st {};
  if (stat(kConfigPath, &st) != 0) return 0;
  return int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
}

// Whether this machine has a route to it. Connecting such a socket sends nothing.
bool HasWayTo(const IpAddress& v6) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(9);
  std::memcpy(&address.sin6_addr, v6.bytes.data(), v6.bytes.size());
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connects = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connects;
}

// The addresses of `info`, each once, and the smallest TTL on the way to them. c-ares would sort
// them with four system calls for each, and an answer may have thousands.
std::pair<std::vector<IpAddress>, int64_t> Read(const ares_addrinfo* info) {
  std::array<std::vector<IpAddress>, 2> families;  // IPv6, IPv4
  int64_t ttl_ms = kDnsTtlMsMax;
  for (const ares_addrinfo_cname* c = info->cnames; c != nullptr; c = c->next) {
    ttl_ms = std::min(ttl_ms, c->ttl * kSecondMs);
  }
  for (const ares_addrinfo_node* n = info->nodes; n != nullptr; n = n->ai_next) {
    const auto ip = FromSockaddr(n->ai_addr);
    if (!ip) continue;
    std::vector<IpAddress>& family = families[ip->v6 ? 0 : 1];
    if (family.size() == kDnsAddressesMax / 2) continue;
    if (std::find(family.begin(), family.end(), *ip) != family.end()) continue;
    family.push_back(*ip);
    ttl_ms = std::min(ttl_ms, n->ai_ttl * kSecondMs);
  }
  auto& [first, then] = families;
  if (!first.empty() && !then.empty() && !HasWayTo(first[0])) std::swap(first, then);
  first.insert(first.end(), then.begin(), then.end());
  return {std::move(first), std::max(ttl_ms, kDnsTtlMsMin)};
}

// RFC 6761, 6.3: these are loopback, and nobody is asked.
bool IsLocalhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

LookupAnswer Loopback() {
  IpAddress v6{.v6 = true};
  v6.bytes[15] = 1;
  return {LookupResult::kFound, {Ipv4(INADDR_LOOPBACK), v6}};
}

}  // namespace

struct Resolver::Channel {
  explicit Channel(Resolver* of) : owner(of) {}
  // Gives what it was asked back: Drop.
  ~Channel() {
    if (handle != nullptr) ares_destroy(handle);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  Resolver* owner;
  ares_channel handle = nullptr;
  size_t queries = 0;
};

struct Resolver::Poll {
  uv_poll_t handle{};
  Channel* channel = nullptr;
  ares_socket_t fd = ARES_SOCKET_BAD;
  int events = 0;

  void Watch(int wanted) {
    events = wanted;
    CHECK(uv_poll_start(&handle, wanted, OnEvents) == 0);
  }

  static void OnEvents(uv_poll_t* handle, int status, int events) {
    auto* poll = static_cast<Poll*>(handle->data);
    Channel& channel = *poll->channel;
    Resolver* owner = channel.owner;
    const ares_socket_t fd = poll->fd;
    if (status >= 0) {
      owner->Process(channel, (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
                     (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
      return;
    }
    // libuv stops a handle on a socket error; c-ares reads the error and mostly closes the socket.
    owner->Process(channel, fd, fd);
    const auto found = owner->polls_.find(fd);
    if (found != owner->polls_.end() && found->second == poll) poll->Watch(poll->events);
  }

  void Close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* h) { delete static_cast<Poll*>(h->data); });
  }
};

Result<std::unique_ptr<Resolver>> Resolver::Open(uv_loop_t* loop, const Clock& clock,
                                                 std::string servers, DoneFn done) {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); });
  std::unique_ptr<Resolver> resolver(
      new Resolver(loop, clock, std::move(servers), std::move(done)));
  auto channel = resolver->OpenChannel();
  if (!channel.ok()) return channel.status();
  resolver->newest_ = std::move(*channel);
  return resolver;
}

Resolver::Resolver(uv_loop_t* loop, const Clock& clock, std::string servers, DoneFn done)
    : loop_(loop),
      clock_(clock),
      servers_(std::move(servers)),
      done_(std::move(done)),
      deadline_timer_(
          loop, [](void* self) { static_cast<Resolver*>(self)->Expire(); }, this),
      tick_timer_(
          loop, [](void* self) { static_cast<Resolver*>(self)->Tick(); }, this),
      immediate_(
          loop, [](void* self) { static_cast<Resolver*>(self)->DeliverAnswers(); }, this) {}

Resolver::~Resolver() {
  closing_ = true;
  older_.reset();
  newest_.reset();
  for (const auto& [fd, poll] : polls_) poll->Close();
}

Result<std::unique_ptr<Resolver::Channel>> Resolver::OpenChannel() {
  auto channel = std::make_unique<Channel>(this);
  ares_options options{};
  char lookups[] = "fb";
  options.timeout = kFirstTimeoutMs;
  options.tries = kTries;
  options.lookups = lookups;
  options.sock_state_cb = &OnSocketState;
  options.sock_state_cb_data = channel.get();
  const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  config_mtime_ns_ = ConfigMtimeNs();
  int code = ares_init_options(&channel->handle, &options, mask);
  if (code != ARES_SUCCESS) {
    channel->handle = nullptr;
    return Invalid(std::string("c-ares: ") + ares_strerror(code));
  }
  if (servers_.empty()) return channel;
  code = ares_set_servers_ports_csv(channel->handle, servers_.c_str());
  if (code != ARES_SUCCESS) return Invalid("DNS servers: " + std::string(ares_strerror(code)));
  return channel;
}

bool Resolver::NextChannel() {
  auto opened = OpenChannel();
  if (!opened.ok()) return false;
  older_ = std::exchange(newest_, std::move(*opened));  // what was older is closed here
  for (Query* query : std::exchange(dropped_, {})) AskNewest(query);
  return true;
}

bool Resolver::MakeRoom() {
  const bool changed = servers_.empty() && ConfigMtimeNs() != config_mtime_ns_;
  const bool full = newest_->queries >= kDnsChannelQueriesMax;
  if (changed || full) return NextChannel() || !full;
  return true;
}

std::optional<LookupAnswer> Resolver::Lookup(const std::string& name, int64_t timeout_ms,
                                             Ticket* ticket) {
  if (IsLocalhost(name)) return Loopback();
  if (const LookupAnswer* kept = Kept(name)) return *kept;
  const auto asked = queries_.find(name);
  const bool waited_for = asked != queries_.end() && asked->second->waiting > 0;
  if (!waited_for && waited_for_ >= kDnsQueriesMax) return LookupAnswer{LookupResult::kBusy, {}};
  if (asked == queries_.end()) {
    if (!MakeRoom()) return LookupAnswer{LookupResult::kBusy, {}};
    Ask(name);
    if (const LookupAnswer* kept = Kept(name)) return *kept;
  }
  Query* query = queries_.at(name).get();
  if (query->waiting++ == 0) ++waited_for_;
  *ticket = ++last_ticket_;
  query->waiters.push_back(*ticket);
  const int64_t deadline_ms = static_cast<int64_t>(uv_now(loop_)) + timeout_ms;
  waiters_[*ticket] = {deadline_ms, query};
  deadlines_.insert({deadline_ms, *ticket});
  ArmDeadline();
  return std::nullopt;
}

void Resolver::Cancel(Ticket ticket) {
  const auto found = waiters_.find(ticket);
  CHECK(found != waiters_.end());
  Query* query = found->second.query;
  if (query != nullptr && --query->waiting == 0) {
    query->waiters.clear();
    --waited_for_;
  }
  deadlines_.erase({found->second.deadline_ms, ticket});
  waiters_.erase(found);
}

void Resolver::Ask(const std::string& name) {
  auto query = std::make_unique<Query>();
  query->owner = this;
  query->name = name;
  Query* borrowed = query.get();
  queries_[name] = std::move(query);
  AskNewest(borrowed);
  ArmTick();
}

void Resolver::AskNewest(Query* query) {
  query->channel = newest_.get();
  ++newest_->queries;
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_ENVHOSTS | ARES_AI_NOSORT;
  // For the hosts file this answers before it returns.
  ares_getaddrinfo(newest_->handle, query->name.c_str(), nullptr, &hints, &OnAnswer, query);
}

void Resolver::Drop(Query* query) {
  if (closing_) return;
  if (query->waiting > 0) {
    dropped_.push_back(query);
  } else {
    queries_.erase(std::string(query->name));
  }
}

void Resolver::OnAnswer(void* query, int status, int /*timeouts*/, ares_addrinfo* info) {
  auto* asked = static_cast<Query*>(query);
  if (status == ARES_EDESTRUCTION) {
    asked->owner->Drop(asked);
  } else {
    asked->owner->Finish(asked, status, info);
  }
  if (info != nullptr) ares_freeaddrinfo(info);
}

void Resolver::Finish(Query* query, int status, ares_addrinfo* info) {
  LookupAnswer answer;
  int64_t ttl_ms = kDnsNegativeTtlMs;
  if (status == ARES_SUCCESS && info != nullptr) {
    std::tie(answer.addresses, ttl_ms) = Read(info);
  }
  if (answer.addresses.empty()) {
    ttl_ms = kDnsNegativeTtlMs;
  } else {
    answer.result = LookupResult::kFound;
  }
  Keep(query->name, answer, ttl_ms);
  --query->channel->queries;
  if (query->waiting > 0) {
    --waited_for_;
    for (const Ticket ticket : query->waiters) {
      const auto waiter = waiters_.find(ticket);
      if (waiter != waiters_.end()) waiter->second.query = nullptr;
    }
    answered_.push_back({std::move(query->waiters), std::move(answer)});
    immediate_.Request();
  }
  queries_.erase(std::string(query->name));
}

void Resolver::DeliverAnswers() {
  const std::vector<Answered> answered = std::exchange(answered_, {});
  for (const Answered& one : answered) {
    for (const Ticket ticket : one.waiters) Deliver(ticket, one.answer);
  }
}

void Resolver::Deliver(Ticket ticket, const LookupAnswer& answer) {
  if (!waiters_.contains(ticket)) return;
  Cancel(ticket);
  done_(ticket, answer);
}

void Resolver::Expire() {
  const auto now_ms = static_cast<int64_t>(uv_now(loop_));
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    Deliver(deadlines_.begin()->second, {LookupResult::kTimeout, {}});
  }
  ArmDeadline();
}

void Resolver::ArmDeadline() {
  if (deadlines_.empty()) {
    deadline_timer_.Stop();
    return;
  }
  deadline_timer_.StartOnce(deadlines_.begin()->first - static_cast<int64_t>(uv_now(loop_)));
}

void Resolver::Process(Channel& channel, ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel.handle, readable, writable);
  ArmTick();
}

void Resolver::Tick() {
  if (older_ != nullptr) Process(*older_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  Process(*newest_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void Resolver::ArmTick() {
  if (ticking_ == !queries_.empty()) return;
  ticking_ = !ticking_;
  if (ticking_) {
    tick_timer_.StartEvery(kTickMs);
  } else {
    tick_timer_.Stop();
  }
}

void Resolver::OnSocketState(void* channel, ares_socket_t fd, int readable, int writable) {
  auto* of = static_cast<Channel*>(channel);
  Resolver* resolver = of->owner;
  const auto found = resolver->polls_.find(fd);
  Poll* poll = found == resolver->polls_.end() ? nullptr : found->second;
  if (!readable && !writable) {
    if (poll == nullptr) return;
    resolver->polls_.erase(found);
    poll->Close();
    return;
  }
  if (poll == nullptr) {
    poll = new Poll;
    if (uv_poll_init(resolver->loop_, &poll->handle, fd) != 0) {
      delete poll;  // the query will run into its time-out
      return;
    }
    poll->handle.data = poll;
    poll->channel = of;
    poll->fd = fd;
    resolver->polls_[fd] = poll;
  }
  poll->Watch((readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0));
}

const LookupAnswer* Resolver::Kept(const std::string& name) {
  const auto found = cache_.find(name);
  if (found == cache_.end()) return nullptr;
  if (found->second.expires <= clock_.Mono()) {
    Forget(name);
    return nullptr;
  }
  return &found->second.answer;
}

void Resolver::Keep(const std::string& name, LookupAnswer answer, int64_t ttl_ms) {
  Forget(name);
  if (cache_.size() >= kDnsNamesMax) Forget(std::string(oldest_first_.front()));
  const auto place = oldest_first_.insert(oldest_first_.end(), name);
  cache_[name] = {std::move(answer), clock_.Mono() + ttl_ms, place};
}

void Resolver::Forget(const std::string& name) {
  const auto found = cache_.find(name);
  if (found == cache_.end()) return;
  oldest_first_.erase(found->second.place);
  cache_.erase(found);
}

}  // namespace belfry
