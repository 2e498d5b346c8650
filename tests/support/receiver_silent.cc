#include "tests/support/receiver_silent.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace belfry {

SilentListener::SilentListener(const std::string& ipv4, uint16_t port)
    : ipv4_(ipv4),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      filler_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  CHECK(inet_pton(AF_INET, ipv4.c_str(), &in.sin_addr) == 1);
  auto* address = reinterpret_cast<sockaddr*>(&in);
  socklen_t size = sizeof(in);
  CHECK(bind(listener_, address, size) == 0 && listen(listener_, 0) == 0);
  CHECK(getsockname(listener_, address, &size) == 0);
  CHECK(connect(filler_, address, size) == 0);
  port_ = ntohs(in.sin_port);
}

SilentListener::~SilentListener() {
  close(filler_);
  close(listener_);
}

std::string SilentListener::url() const {
  return "http://" + ipv4_ + ":" + std::to_string(port_) + "/";
}

}  // namespace belfry
