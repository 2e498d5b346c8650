#include "daemon/delivery_files.h"

#include <utility>

#include "daemon/credential_file.h"

namespace belfry {
namespace {

constexpr size_t kSecretFileBytesMax = 4096;
constexpr size_t kIssuersFileBytesMax = 4 * 1024 * 1024;
constexpr size_t kCertificateFileBytesMax = 256 * 1024;
constexpr size_t kKeyFileBytesMax = 64 * 1024;

Result<Signer> LoadSigner(const std::vector<std::string>& secrets,
                          const std::string& credentials_directory) {
  Signer signer;
  for (const std::string& secret : secrets) {
    const CredentialFile file{"delivery.signing.secrets", secret, Secrecy::kSecret,
                              kSecretFileBytesMax};
    auto text = ReadCredentialFile(file, credentials_directory);
    if (!text.ok()) return text.status();
    const Status added = signer.Add(*text);
    Wipe(&*text);
    if (!added.ok()) return WrongCredential(file, added.message());
  }
  return signer;
}

// Gives what is in the file to `take`. No file, nothing to take.
template <typename Fn>
Status TakeFile(const CredentialFile& file, const std::string& credentials_directory, Fn take) {
  if (file.name.empty()) return {};
  auto text = ReadCredentialFile(file, credentials_directory);
  if (!text.ok()) return text.status();
  const Status taken = take(*text);
  if (file.secrecy == Secrecy::kSecret) Wipe(&*text);
  return taken.ok() ? taken : WrongCredential(file, taken.message());
}

// `at` is where the settings are: "delivery.tls.".
Result<TlsProfile> LoadProfile(const Config::Delivery::Tls::Settings& tls, const std::string& at,
                               const SystemIssuers& system, const std::string& credentials) {
  TlsProfile profile(system);
  profile.SetMinVersion(tls.min_version == "1.3" ? TlsVersion::k13 : TlsVersion::k12);
  Status s = TakeFile({at + "ca", tls.ca, Secrecy::kPublic, kIssuersFileBytesMax}, credentials,
                      [&](const std::string& pem) { return profile.AddIssuers(pem); });
  if (!s.ok()) return s;
  s = TakeFile({at + "cert", tls.cert, Secrecy::kPublic, kCertificateFileBytesMax}, credentials,
               [&](const std::string& pem) { return profile.SetCertificate(pem); });
  if (!s.ok()) return s;
  s = TakeFile({at + "key", tls.key, Secrecy::kSecret, kKeyFileBytesMax}, credentials,
               [&](const std::string& pem) { return profile.SetKey(pem); });
  if (!s.ok()) return s;
  return profile;
}

Result<std::shared_ptr<const TlsProfiles>> LoadTls(const Config::Delivery::Tls& tls,
                                                   const std::string& credentials) {
  const SystemIssuers system = SystemIssuers::Load();
  auto others = LoadProfile(tls.others, "delivery.tls.", system, credentials);
  if (!others.ok()) return others.status();
  auto profiles = std::make_shared<TlsProfiles>(std::move(*others));
  for (size_t i = 0; i < tls.profiles.size(); ++i) {
    const std::string at = "delivery.tls.profiles[" + std::to_string(i) + "].";
    auto target = TlsTarget::Parse(tls.profiles[i].target);
    if (!target.ok()) return Refused(at + "target: " + target.status().message());
    Config::Delivery::Tls::Settings settings = tls.profiles[i].settings;
    if (settings.min_version.empty()) settings.min_version = tls.others.min_version;
    auto profile = LoadProfile(settings, at, system, credentials);
    if (!profile.ok()) return profile.status();
    profiles->Add(std::move(*target), std::move(*profile));
  }
  return std::shared_ptr<const TlsProfiles>(std::move(profiles));
}

}  // namespace

Result<DeliveryFiles> LoadDeliveryFiles(const Config::Delivery& delivery,
                                        const std::string& credentials_directory) {
  DeliveryFiles files;
  auto signer = LoadSigner(delivery.signing.secrets, credentials_directory);
  if (!signer.ok()) return signer.status();
  files.signer = std::move(*signer);
  auto tls = LoadTls(delivery.tls, credentials_directory);
  if (!tls.ok()) return tls.status();
  files.tls = std::move(*tls);
  return files;
}

}  // namespace belfry
