#include "storage/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "storage/bytes.h"
#include "storage/checksum.h"

namespace belfry {
namespace {

constexpr std::string_view kMagic = "BELFRYDP";
constexpr uint8_t kVersion = 1;
constexpr size_t kSlotBytes = 4096;
constexpr size_t kSlots = 2;
constexpr size_t kStoreIdBytes = 10;

struct Slot {
  uint64_t turn = 0;
  DurableProof proof;
};

// magic | version u8 | turn u64 | store id | commit_no u64 | last_id u64 | clean u8 | checksum u64
// | 0
std::string Encode(const Slot& slot) {
  CHECK(slot.proof.store_id.size() == kStoreIdBytes);
  std::string out(kMagic);
  AppendU8(&out, kVersion);
  AppendU64(&out, slot.turn);
  out.append(slot.proof.store_id);
  AppendU64(&out, slot.proof.commit_no);
  AppendU64(&out, slot.proof.last_id);
  AppendU8(&out, slot.proof.clean ? 1 : 0);
  AppendU64(&out, ChecksumOf(kVersion, kMagic, out));
  out.resize(kSlotBytes, '\0');
  return out;
}

std::optional<Slot> Decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.Bytes(kMagic.size()) != kMagic || in.U8() != kVersion) return std::nullopt;
  Slot slot;
  slot.turn = in.U64();
  slot.proof.store_id = std::string(in.Bytes(kStoreIdBytes));
  slot.proof.commit_no = in.U64();
  slot.proof.last_id = in.U64();
  slot.proof.clean = in.U8() == 1;
  const std::string_view covered = bytes.substr(0, bytes.size() - in.rest().size());
  if (in.U64() != ChecksumOf(kVersion, kMagic, covered) || !in.ok()) return std::nullopt;
  return slot;
}

Result<Fd> OpenForWriting(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return SystemError("cannot open", path);
  return fd;
}

}  // namespace

DurableFile::DurableFile(std::string path, Fd fd, DurableProof proof, uint64_t turn)
    : path_(std::move(path)), fd_(std::move(fd)), proof_(std::move(proof)), turn_(turn) {}

Result<DurableFile> DurableFile::Create(const std::string& path, const DurableProof& proof) {
  const std::string both = Encode({0, proof}) + Encode({1, proof});
  if (Status s = WriteFileDurably(path, both); !s.ok()) return s;
  Result<Fd> fd = OpenForWriting(path);
  if (!fd.ok()) return fd.status();
  return DurableFile(path, std::move(*fd), proof, 1);
}

Result<DurableFile> DurableFile::Open(const std::string& path) {
  const Result<std::string> bytes = ReadSmallFile(path);
  if (!bytes.ok()) return bytes.status();
  std::optional<Slot> newest;
  bool all_whole = true;
  for (size_t i = 0; i < kSlots; ++i) {
    const std::string_view all = *bytes;
    std::optional<Slot> slot = Decode(all.substr(std::min(all.size(), i * kSlotBytes), kSlotBytes));
    all_whole = all_whole && slot;
    if (slot && (!newest || slot->turn > newest->turn)) newest = std::move(slot);
  }
  if (!newest) return Corruption(path + " cannot be read: its bytes are damaged");
  // The spoiled slot may be the newer one: then something may have been committed after all.
  if (!all_whole) newest->proof.clean = false;
  Result<Fd> fd = OpenForWriting(path);
  if (!fd.ok()) return fd.status();
  return DurableFile(path, std::move(*fd), std::move(newest->proof), newest->turn);
}

Status DurableFile::Write(const DurableProof& proof) {
  ++turn_;
  proof_ = proof;
  const int64_t offset = static_cast<int64_t>(turn_ % kSlots * kSlotBytes);
  if (Status s = WriteAt(fd_.get(), Encode({turn_, proof}), offset, path_); !s.ok()) return s;
  if (fdatasync(fd_.get()) != 0) return SystemError("cannot sync", path_);
  return {};
}

}  // namespace belfry
