// receiver_silent.h - an address that nobody answers at: each SYN is dropped, as by a firewall.
#pragma once

#include <cstdint>
#include <string>

namespace belfry {

// A listener whose queue is full from the start.
class SilentListener {
 public:
  // `port` 0: any that is free.
  explicit SilentListener(const std::string& ipv4 = "127.0.0.1", uint16_t port = 0);
  ~SilentListener();
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;

  [[nodiscard]] std::string url() const;

 private:
  std::string ipv4_;
  int listener_;
  int filler_;
  uint16_t port_ = 0;
};

}  // namespace belfry
