#include "tests/support/receiver_dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace belfry {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr int kServFail = 2;
constexpr int kNxDomain = 3;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;

void AddU16(std::string& out, int value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

std::string AddressRecord(uint16_t type, int ttl_s, const std::string& address) {
  char bytes[16];
  if (inet_pton(type == kTypeA ? AF_INET : AF_INET6, address.c_str(), bytes) != 1) return "";
  const size_t size = type == kTypeA ? 4 : 16;
  std::string record = "\xc0\x0c";  // the name of the question
  AddU16(record, type);
  AddU16(record, 1);
  AddU16(record, ttl_s >> 16);
  AddU16(record, ttl_s & 0xffff);
  AddU16(record, static_cast<int>(size));
  return record.append(bytes, size);
}

}  // namespace

DnsServer::DnsServer(TestLoop& loop)
    : poll_(new uv_poll_t), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&in), sizeof(in)) == 0);
  CHECK(uv_poll_init(loop.get(), poll_, fd_) == 0);
  poll_->data = this;
  uv_poll_start(poll_, UV_READABLE,
                [](uv_poll_t* p, int, int) { static_cast<DnsServer*>(p->data)->Read(); });
}

DnsServer::~DnsServer() {
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
  close(fd_);
}

void DnsServer::Answer(const std::string& name, std::vector<std::string> addresses, int ttl_s) {
  zones_[name] = {std::move(addresses), ttl_s, false, 0};
}

void DnsServer::StaySilent(const std::string& name) { zones_[name] = {{}, 0, true, 0}; }
void DnsServer::ServFail(const std::string& name) { zones_[name] = {{}, 0, false, kServFail}; }

std::string DnsServer::address() const {
  sockaddr_in in{};
  socklen_t size = sizeof(in);
  CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&in), &size) == 0);
  return "127.0.0.1:" + std::to_string(ntohs(in.sin_port));
}

int DnsServer::questions(const std::string& name) const {
  const auto found = questions_.find(name);
  return found == questions_.end() ? 0 : found->second;
}

void DnsServer::Read() {
  char bytes[1500];
  sockaddr_storage from{};
  for (;;) {
    socklen_t size = sizeof(from);
    const ssize_t n =
        recvfrom(fd_, bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n <= 0) return;
    const std::string reply = Reply(std::string(bytes, static_cast<size_t>(n)));
    if (reply.empty()) continue;
    sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

std::string DnsServer::Reply(const std::string& question) {
  std::string name;
  size_t at = kHeaderBytes;
  while (at < question.size() && question[at] != 0) {
    const auto length = static_cast<size_t>(question[at]);
    if (!name.empty()) name += '.';
    name += question.substr(at + 1, length);
    at += length + 1;
  }
  const size_t end = at + 5;
  if (end > question.size()) return "";
  const auto type = static_cast<uint16_t>(static_cast<unsigned char>(question[at + 2]));
  if (type == kTypeA) ++questions_[name];

  const auto zone = zones_.find(name);
  if (zone != zones_.end() && zone->second.silent) return "";
  const int rcode = zone == zones_.end() ? kNxDomain : zone->second.rcode;
  std::string records;
  int count = 0;
  if (rcode == 0 && (type == kTypeA || type == kTypeAaaa)) {
    for (const std::string& address : zone->second.addresses) {
      const std::string record = AddressRecord(type, zone->second.ttl_s, address);
      if (record.empty()) continue;
      records += record;
      ++count;
    }
  }
  std::string reply = question.substr(0, 2);
  AddU16(reply, 0x8180 | rcode);
  AddU16(reply, 1);
  AddU16(reply, count);
  AddU16(reply, 0);
  AddU16(reply, 0);
  return reply + question.substr(kHeaderBytes, end - kHeaderBytes) + records;
}

}  // namespace belfry
