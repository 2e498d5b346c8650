// receiver_tls.h - an HTTPS receiver on threads of its own, with certificates made for the test.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace belfry {

struct CertificateOptions {
  std::string common_name = "belfry test";
  std::string subject_alt_name = "IP:127.0.0.1,DNS:a.localhost,DNS:b.localhost";
  long valid_from_s = -3600;  // from now
  long valid_to_s = 3600;
};

// Self-signed; PEM. Each has a key of its own.
struct TestCertificate {
  std::string certificate;
  std::string key;
};
[[nodiscard]] TestCertificate MakeTestCertificate(const CertificateOptions& options = {});

struct TlsReceiverOptions {
  CertificateOptions certificate;
  int tls_version = 0;               // this one only; 0: what the library takes
  std::vector<std::string> clients;  // certificates, one of which must be shown; none: not asked
  int chain_length = 0;              // times its own certificate is sent behind itself
  bool renegotiate = false;          // before each answer; only of TLS 1.2
};

struct TlsRequest {
  std::string host;    // with its port, as in Host
  std::string client;  // common name of the certificate shown, or ""
  int connection = 0;  // from 1
};

// Answers 200 to every request it can read.
class TlsReceiver {
 public:
  explicit TlsReceiver(const TlsReceiverOptions& options = {});
  ~TlsReceiver();

  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const;
  // To be trusted.
  [[nodiscard]] const std::string& certificate() const { return certificate_.certificate; }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] int handshakes() const { return handshakes_; }  // that it took for done
  [[nodiscard]] std::vector<TlsRequest> seen();

  // From now on requests are read, and answered only after Release.
  void Hold();
  void Release();

 private:
  void Serve();
  void ServeOne(int fd, int connection);
  void Note(void* ssl, const std::string& head, int connection);

  TestCertificate certificate_;
  void* context_;  // SSL_CTX
  bool renegotiate_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::atomic<int> handshakes_{0};
  std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
  std::vector<TlsRequest> seen_;
  std::set<int> open_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

}  // namespace belfry
