// receiver_tls.h - an HTTPS receiver on a thread of its own, with a certificate made for the test.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace belfry {

struct CertificateOptions {
  std::string subject_alt_name = "IP:127.0.0.1";
  long valid_from_s = -3600;  // from now
  long valid_to_s = 3600;
  int tls_version_max = 0;  // 0: the library's
};

// Answers 200 to every request it can read.
class TlsReceiver {
 public:
  explicit TlsReceiver(const CertificateOptions& options = {});
  ~TlsReceiver();

  [[nodiscard]] std::string url() const;
  // PEM of the certificate, to be trusted.
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] int handshakes() const { return handshakes_; }

 private:
  void Serve();
  void ServeOne(int fd);

  void* context_;  // SSL_CTX
  int listener_ = -1;
  uint16_t port_ = 0;
  std::string ca_file_;
  std::atomic<int> requests_{0};
  std::atomic<int> handshakes_{0};
  std::thread thread_;
};

}  // namespace belfry
