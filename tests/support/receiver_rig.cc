#include "tests/support/receiver_rig.h"

namespace belfry {

AddressPolicy PolicyOf(const std::vector<std::string>& allow,
                       const std::vector<std::string>& deny) {
  return AddressPolicy::Parse(allow, deny).value();
}

SenderOptions SenderRig::LoopbackOptions() {
  SenderOptions options;
  options.version = "1.2.3";
  options.store_id = "abcdefghij";
  options.policy = PolicyOf({"loopback"});
  options.dns_servers = "127.0.0.1:1";  // nobody there
  static const auto tls = std::make_shared<TlsProfiles>(TlsProfile(SystemIssuers::Load()));
  options.tls = tls;
  return options;
}

SenderRig::SenderRig(SenderOptions options) { Reopen(std::move(options)); }

void SenderRig::Reopen(SenderOptions options) {
  auto opened = CurlSender::Open(
      loop.get(), clock, std::move(options),
      [this](Outcome o) { outcomes.push_back(std::move(o)); },
      [this](TimerId id) {
        found.push_back(id);
        return may_connect;
      });
  sender = std::move(opened.value());
}

Timer& SenderRig::NewTimer(const std::string& url) {
  auto timer = std::make_unique<Timer>();
  timer->id = timers.size() + 1;
  timer->due = WallMs{1795248000000};
  timer->url = url;
  timers.push_back(std::move(timer));
  return *timers.back();
}

Sender::Begun SenderRig::Start(const Timer& timer, uint32_t attempt) {
  const size_t before = outcomes.size() + found.size();
  const Sender::Begun begun = sender->Start({&timer, attempt});
  CHECK(outcomes.size() + found.size() == before);  // never from within Start
  return begun;
}

Timer& SenderRig::Start(const std::string& url, const std::string& body) {
  Timer& timer = NewTimer(url);
  timer.body = body;
  Start(timer);
  return timer;
}

bool SenderRig::Settle() {
  return loop.RunUntil([this] { return sender->in_flight() == 0; });
}

Outcome SenderRig::Send(const Timer& timer, uint32_t attempt) {
  Start(timer, attempt);
  CHECK(Settle());
  return outcomes.back();
}

Outcome SenderRig::Send(const std::string& url, const std::string& body) {
  Start(url, body);
  CHECK(Settle());
  return outcomes.back();
}

}  // namespace belfry
