// delivery_files.h - the files that delivery needs beside the configuration, read at the start and
// again at SIGHUP. Blocks. Any thread.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "daemon/config.h"
#include "delivery/signer.h"
#include "delivery/tls_profiles.h"

namespace belfry {

struct DeliveryFiles {
  Signer signer;                           // delivery.signing.secrets, in their order
  std::shared_ptr<const TlsProfiles> tls;  // delivery.tls
};

// All of them or none. kRefused says which file is wrong and why, and nothing of what is in it;
// see credential_file.h.
[[nodiscard]] Result<DeliveryFiles> LoadDeliveryFiles(const Config::Delivery& delivery,
                                                      const std::string& credentials_directory);

}  // namespace belfry
