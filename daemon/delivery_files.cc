#include "daemon/delivery_files.h"

#include <utility>

#include "daemon/credential_file.h"

namespace belfry {
namespace {

constexpr size_t kSecretFileBytesMax = 4096;

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

}  // namespace

Result<DeliveryFiles> LoadDeliveryFiles(const Config::Delivery& delivery,
                                        const std::string& credentials_directory) {
  DeliveryFiles files;
  auto signer = LoadSigner(delivery.signing.secrets, credentials_directory);
  if (!signer.ok()) return signer.status();
  files.signer = std::move(*signer);
  return files;
}

}  // namespace belfry
