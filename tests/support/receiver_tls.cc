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
                             reinterpret_cast<const unsigned char*>("belfry test"), -1, -1, 0);
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

std::string WriteCertificate(X509* certificate) {
  char path[] = "/tmp/belfry-test-ca-XXXXXX";
  const int fd = mkstemp(path);
  CHECK(fd >= 0);
  FILE* file = fdopen(fd, "w");
  CHECK(file != nullptr && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
  return path;
}

}  // namespace

TlsReceiver::TlsReceiver(const CertificateOptions& options)
    : context_(SSL_CTX_new(TLS_server_method())) {
  auto* context = static_cast<SSL_CTX*>(context_);
  EVP_PKEY* key = EVP_EC_gen("P-256");
  CHECK(context != nullptr && key != nullptr);
  X509* certificate = MakeCertificate(key, options);
  CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  if (options.tls_version_max != 0) {
    SSL_CTX_set_security_level(context, 0);  // else OpenSSL itself refuses the old versions
    SSL_CTX_set_min_proto_version(context, options.tls_version_max);
    SSL_CTX_set_max_proto_version(context, options.tls_version_max);
  }
  ca_file_ = WriteCertificate(certificate);
  X509_free(certificate);
  EVP_PKEY_free(key);

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
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
  unlink(ca_file_.c_str());
  SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

std::string TlsReceiver::url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

void TlsReceiver::Serve() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ServeOne(fd);
    close(fd);
  }
}

void TlsReceiver::ServeOne(int fd) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(static_cast<SSL_CTX*>(context_)),
                                                      &SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) != 1) return;
  ++handshakes_;
  std::string in;
  char bytes[4096];
  for (;;) {
    const int n = SSL_read(ssl.get(), bytes, sizeof(bytes));
    if (n <= 0) return;
    in.append(bytes, static_cast<size_t>(n));
    if (in.find("\r\n\r\n") == std::string::npos) continue;
    in.clear();
    ++requests_;
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    if (SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size())) <= 0) return;
  }
}

}  // namespace belfry
