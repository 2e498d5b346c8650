// receiver_dns.h - a DNS server inside the test, on its loop, over UDP.
#pragma once

#include <uv.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/receiver_loop.h"

namespace belfry {

class DnsServer {
 public:
  explicit DnsServer(TestLoop& loop);
  ~DnsServer();

  // Names that were not given any of these do not exist (NXDOMAIN).
  void Answer(const std::string& name, std::vector<std::string> addresses, int ttl_s = 60);
  void StaySilent(const std::string& name);
  void ServFail(const std::string& name);

  // "127.0.0.1:port", as the resolver takes it.
  [[nodiscard]] std::string address() const;
  // Questions for this name's IPv4 addresses.
  [[nodiscard]] int questions(const std::string& name) const;

 private:
  struct Zone {
    std::vector<std::string> addresses;
    int ttl_s = 60;
    bool silent = false;
    int rcode = 0;
  };

  void Read();
  [[nodiscard]] std::string Reply(const std::string& question);

  uv_poll_t* poll_;
  int fd_ = -1;
  std::map<std::string, Zone> zones_;
  std::map<std::string, int> questions_;
};

}  // namespace belfry
