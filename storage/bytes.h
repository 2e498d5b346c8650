// bytes.h - numbers as explicit bytes: big-endian where order matters, varints where space does.
//
// Any thread. A ByteReader never reads outside its view: once something is missing it stays failed
// and answers zeros.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry {

inline void StoreU32(char* out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (24 - 8 * i));
}

inline void StoreU64(char* out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (56 - 8 * i));
}

inline void AppendU8(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }

inline void AppendU32(std::string* out, uint32_t value) {
  char bytes[4];
  StoreU32(bytes, value);
  out->append(bytes, sizeof bytes);
}

inline void AppendU64(std::string* out, uint64_t value) {
  char bytes[8];
  StoreU64(bytes, value);
  out->append(bytes, sizeof bytes);
}

// Seven bits a byte, low ones first.
inline void AppendVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) AppendU8(out, static_cast<uint8_t>(value | 0x80));
  AppendU8(out, static_cast<uint8_t>(value));
}

// Small differences of either sign in few bytes: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
inline void AppendZigzag(std::string* out, int64_t value) {
  AppendVarint(out, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

inline void AppendString(std::string* out, std::string_view text) {
  AppendVarint(out, text.size());
  out->append(text);
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  // True when nothing was missing so far.
  [[nodiscard]] bool ok() const { return ok_; }
  // True when everything was there and nothing is left over.
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  uint8_t U8() {
    const std::string_view b = Bytes(1);
    return ok_ ? static_cast<uint8_t>(b[0]) : 0;
  }
  uint32_t U32() { return static_cast<uint32_t>(BigEndian(4)); }
  uint64_t U64() { return BigEndian(8); }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = U8();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }

  int64_t Zigzag() {
    const uint64_t value = Varint();
    return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }

  std::string_view Bytes(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  std::string_view String() { return Bytes(Varint()); }

 private:
  uint64_t BigEndian(size_t count) {
    uint64_t value = 0;
    for (const char c : Bytes(count)) value = (value << 8) | static_cast<uint8_t>(c);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace belfry
