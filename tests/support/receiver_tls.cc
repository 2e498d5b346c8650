#include "tests/support/receiver_tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "base/check.h"

namespace belfry {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

X509* MakeCertificate(EVP_PKEY* key, const CertificateOptions& options) {
  X509* certificate = X509_new();
  CHECK(certificate != nullptr);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), options.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.valid_to_s);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name,
                                              options.subject_alt_name.c_str());
  CHECK(names != nullptr);
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  return certificate;
}

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

Bio Over(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

X509* ReadCertificate(const std::string& pem) {
  X509* certificate = PEM_read_bio_X509(Over(pem).get(), nullptr, nullptr, nullptr);
  CHECK(certificate != nullptr);
  return certificate;
}

void UseCertificate(SSL_CTX* context, const TestCertificate& own) {
  X509* certificate = ReadCertificate(own.certificate);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(Over(own.key).get(), nullptr, nullptr, nullptr);
  CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  CHECK(key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

// False when the client refuses.
bool Renegotiate(SSL* ssl) {
  SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
  if (SSL_renegotiate(ssl) != 1 || SSL_do_handshake(ssl) != 1) return false;
  while (SSL_renegotiate_pending(ssl) == 1) {
    char byte = 0;
    const int n = SSL_read(ssl, &byte, 1);
    if (n <= 0 && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ) return false;
  }
  SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
  return true;
}

void DemandCertificate(SSL_CTX* context, const std::vector<std::string>& clients) {
  if (clients.empty()) return;
  for (const std::string& pem : clients) {
    X509* client = ReadCertificate(pem);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), client) == 1);
    X509_free(client);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

}  // namespace

TestCertificate MakeTestCertificate(const CertificateOptions& options) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  CHECK(key != nullptr);
  X509* certificate = MakeCertificate(key, options);
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  const Bio key_out(BIO_new(BIO_s_mem()), &BIO_free);
  CHECK(PEM_write_bio_X509(out.get(), certificate) == 1);
  CHECK(PEM_write_bio_PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {TextOf(out.get()), TextOf(key_out.get())};
}

TlsReceiver::TlsReceiver(const TlsReceiverOptions& options)
    : certificate_(MakeTestCertificate(options.certificate)),
      context_(SSL_CTX_new(TLS_server_method())),
      renegotiate_(options.renegotiate) {
  auto* context = static_cast<SSL_CTX*>(context_);
  CHECK(context != nullptr);
  UseCertificate(context, certificate_);
  for (int i = 0; i < options.chain_length; ++i) {
    CHECK(SSL_CTX_add0_chain_cert(context, ReadCertificate(certificate_.certificate)) == 1);
  }
  DemandCertificate(context, options.clients);
  const unsigned char name[] = "belfry";
  SSL_CTX_set_session_id_context(context, name, sizeof(name));
  if (options.tls_version != 0) {
    SSL_CTX_set_security_level(context, 0);  // else OpenSSL itself refuses the old versions
    SSL_CTX_set_min_proto_version(context, options.tls_version);
    SSL_CTX_set_max_proto_version(context, options.tls_version);
  }

  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(in);
  CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&in), size) == 0 && listen(listener_, 16) == 0);
  CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&in), &size) == 0);
  port_ = ntohs(in.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

TlsReceiver::~TlsReceiver() {
  Release();
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& connection : connections_) connection.join();
  SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

std::string TlsReceiver::url(const std::string& host) const {
  return "https://" + host + ":" + std::to_string(port_) + "/";
}

std::vector<TlsRequest> TlsReceiver::seen() {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void TlsReceiver::Hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void TlsReceiver::Release() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  released_.notify_all();
}

void TlsReceiver::Serve() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    open_.insert(fd);
    const int connection = static_cast<int>(connections_.size()) + 1;
    connections_.emplace_back([this, fd, connection] {
      ServeOne(fd, connection);
      const std::lock_guard at_end(mutex_);
      open_.erase(fd);
      close(fd);
    });
  }
}

void TlsReceiver::ServeOne(int fd, int connection) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(static_cast<SSL_CTX*>(context_)),
                                                      &SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) != 1) {
    // Closed with something unread, the alert that says why would be lost.
    shutdown(fd, SHUT_WR);
    char bytes[4096];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) continue;
    return;
  }
  ++handshakes_;
  std::string in;
  char bytes[4096];
  for (;;) {
    const int n = SSL_read(ssl.get(), bytes, sizeof(bytes));
    if (n <= 0) return;
    in.append(bytes, static_cast<size_t>(n));
    if (in.find("\r\n\r\n") == std::string::npos) continue;
    Note(ssl.get(), in, connection);
    in.clear();
    if (renegotiate_ && !Renegotiate(ssl.get())) return;
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    if (SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size())) <= 0) return;
  }
}

void TlsReceiver::Note(void* ssl, const std::string& head, int connection) {
  TlsRequest request;
  request.connection = connection;
  const size_t host = head.find("Host: ") + 6;
  request.host = head.substr(host, head.find("\r\n", host) - host);
  if (X509* client = SSL_get1_peer_certificate(static_cast<SSL*>(ssl))) {
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name, sizeof(name));
    request.client = name;
    X509_free(client);
  }
  std::unique_lock lock(mutex_);
  seen_.push_back(request);
  ++requests_;
  released_.wait(lock, [this] { return !held_; });
}

}  // namespace belfry
