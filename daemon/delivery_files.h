// delivery_files.h - the files that delivery needs beside the configuration, read at the start and
// again at SIGHUP. Blocks. Any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "daemon/config.h"
#include "delivery/signer.h"

namespace belfry {

struct DeliveryFiles {
  Signer signer;  // delivery.signing.secrets, in their order
};

// All of them or none. kRefused says which file is wrong and why, and nothing of what is in it;
// see credential_file.h.
[[nodiscard]] Result<DeliveryFiles> LoadDeliveryFiles(const Config::Delivery& delivery,
                                                      const std::string& credentials_directory);

}  // namespace belfry
