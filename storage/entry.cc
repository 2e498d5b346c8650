#include "storage/entry.h"

#include <utility>

#include "storage/bytes.h"

namespace belfry {
namespace {

constexpr uint8_t kEntryVersion = 1;
constexpr size_t kSealBytes = 1 + 4;
constexpr size_t kIdEntryBytes = 1 + 8 + 8;
constexpr size_t kOnceEntryBytes = 4 * 8;

// version u8 | checksum u32 | fields
std::string Unsealed(size_t fields_bytes) {
  std::string out;
  out.reserve(kSealBytes + fields_bytes);
  out.assign(kSealBytes, '\0');
  return out;
}

std::string Seal(std::string_view key, std::string out) {
  const std::string_view fields = std::string_view(out).substr(kSealBytes);
  const auto checksum = static_cast<uint32_t>(ChecksumOf(kEntryVersion, key, fields));
  out[0] = static_cast<char>(kEntryVersion);
  StoreU32(&out[1], checksum);
  return out;
}

Result<std::string_view> Unseal(std::string_view key, std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.U8();
  const uint32_t checksum = in.U32();
  if (!in.ok() || version != kEntryVersion) return Corruption("entry of unknown version");
  if (checksum != static_cast<uint32_t>(ChecksumOf(version, key, in.rest()))) {
    return Corruption("entry checksum differs");
  }
  return in.rest();
}

}  // namespace

IdEntry EntryOf(const Timer& t) {
  return {t.state, IsAlive(t.state) ? t.next_attempt : t.finished, t.due};
}

std::string EncodeIdEntry(std::string_view key, const IdEntry& entry) {
  std::string out = Unsealed(kIdEntryBytes);
  AppendU8(&out, static_cast<uint8_t>(entry.state));
  AppendU64(&out, static_cast<uint64_t>(entry.at.ms));
  AppendU64(&out, static_cast<uint64_t>(entry.due.ms));
  return Seal(key, std::move(out));
}

Result<IdEntry> DecodeIdEntry(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes);
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  IdEntry entry;
  const uint8_t state = in.U8();
  entry.at.ms = static_cast<int64_t>(in.U64());
  entry.due.ms = static_cast<int64_t>(in.U64());
  if (!in.finished() || state < 1 || state > kStoredStates) return Corruption("entry is malformed");
  entry.state = static_cast<TimerState>(state);
  return entry;
}

std::string EncodeOnceEntry(std::string_view key, const OnceEntry& entry) {
  std::string out = Unsealed(kOnceEntryBytes);
  AppendU64(&out, entry.id);
  AppendU64(&out, static_cast<uint64_t>(entry.created.ms));
  AppendU64(&out, entry.request.first);
  AppendU64(&out, entry.request.second);
  return Seal(key, std::move(out));
}

Result<OnceEntry> DecodeOnceEntry(std::string_view key, std::string_view bytes) {
  const Result<std::string_view> fields = Unseal(key, bytes);
  if (!fields.ok()) return fields.status();
  ByteReader in(*fields);
  OnceEntry entry;
  entry.id = in.U64();
  entry.created.ms = static_cast<int64_t>(in.U64());
  entry.request.first = in.U64();
  entry.request.second = in.U64();
  if (!in.finished()) return Corruption("entry is malformed");
  return entry;
}

}  // namespace belfry
