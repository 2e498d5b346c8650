#include "storage/sealed.h"

#include "storage/bytes.h"
#include "storage/checksum.h"

namespace belfry {

std::string Unsealed(size_t fields_bytes) {
  std::string out;
  out.reserve(kSealBytes + fields_bytes);
  out.assign(kSealBytes, '\0');
  return out;
}

std::string Seal(uint8_t version, std::string_view key, std::string out) {
  const std::string_view fields = std::string_view(out).substr(kSealBytes);
  const auto checksum = static_cast<uint32_t>(ChecksumOf(version, key, fields));
  out[0] = static_cast<char>(version);
  StoreU32(&out[1], checksum);
  return out;
}

Result<std::string_view> Unseal(std::string_view key, std::string_view bytes, uint8_t newest,
                                std::string_view what) {
  ByteReader in(bytes);
  const uint8_t version = in.U8();
  const uint32_t checksum = in.U32();
  if (!in.ok() || version < 1 || version > newest) {
    return Corruption(std::string(what) + " of unknown version");
  }
  if (checksum != static_cast<uint32_t>(ChecksumOf(version, key, in.rest()))) {
    return Corruption(std::string(what) + " checksum differs");
  }
  return in.rest();
}

}  // namespace belfry
