#include "storage/durable_file.h"

#include <gtest/gtest.h>

#include "tests/support/store_files.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

DurableProof Proof(uint64_t commit_no, bool clean = false) {
  return {"abcdefghij", commit_no, commit_no * 2, clean};
}

class DurableFileTest : public testing::Test {
 protected:
  [[nodiscard]] Result<DurableProof> Reread() const {
    const Result<DurableFile> file = DurableFile::Open(path_);
    if (!file.ok()) return file.status();
    return file->proof();
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/DURABLE";
};

TEST_F(DurableFileTest, TheNewestWriteIsRead) {
  auto file = DurableFile::Create(path_, Proof(1));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*Reread(), Proof(1));
  for (uint64_t n = 2; n < 9; ++n) {
    ASSERT_TRUE(file->Write(Proof(n)).ok());
    EXPECT_EQ(*Reread(), Proof(n));
  }
}

TEST_F(DurableFileTest, WritingGoesOnAfterReopening) {
  ASSERT_TRUE(DurableFile::Create(path_, Proof(1)).ok());
  for (uint64_t n = 2; n < 9; ++n) {
    auto file = DurableFile::Open(path_);
    ASSERT_TRUE(file->Write(Proof(n, true)).ok());
    EXPECT_EQ(*Reread(), Proof(n, true));
  }
}

// Whatever a torn write leaves in one slot, the other one speaks.
TEST_F(DurableFileTest, ATornWriteLeavesTheOneBefore) {
  auto file = DurableFile::Create(path_, Proof(1));
  ASSERT_TRUE(file->Write(Proof(2)).ok());
  const std::string before = ReadBytes(path_);
  ASSERT_TRUE(file->Write(Proof(3)).ok());
  const std::string after = ReadBytes(path_);
  size_t first = 0;
  while (before[first] == after[first]) ++first;
  size_t last = after.size();
  while (before[last - 1] == after[last - 1]) --last;
  for (size_t cut = first + 1; cut < last; ++cut) {
    WriteBytes(path_, after.substr(0, cut) + before.substr(cut));
    const auto proof = Reread();
    ASSERT_TRUE(proof.ok()) << cut;
    EXPECT_TRUE(*proof == Proof(2) || *proof == Proof(3)) << cut;
  }
}

TEST_F(DurableFileTest, ADamagedSlotTakesTheCleanMarkAway) {
  auto file = DurableFile::Create(path_, Proof(5, true));
  std::string bytes = ReadBytes(path_);
  bytes[12] ^= 1;
  WriteBytes(path_, bytes);
  EXPECT_EQ(*Reread(), Proof(5, false));
}

TEST_F(DurableFileTest, NothingWholeIsAnError) {
  EXPECT_EQ(Reread().status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(DurableFile::Create(path_, Proof(1)).ok());
  std::string bytes = ReadBytes(path_);
  for (const size_t at : {size_t{20}, size_t{4096 + 20}}) bytes[at] ^= 1;
  WriteBytes(path_, bytes);
  EXPECT_EQ(Reread().status().code(), StatusCode::kCorruption);
  WriteBytes(path_, "");
  EXPECT_EQ(Reread().status().code(), StatusCode::kCorruption);
}

// Everything but the padding.
TEST_F(DurableFileTest, NoFlippedByteIsEverBelieved) {
  ASSERT_TRUE(DurableFile::Create(path_, Proof(7)).ok());
  const std::string whole = ReadBytes(path_);
  for (size_t i = 0; i < 52; ++i) {
    std::string bytes = whole;
    bytes[i] ^= 8;
    bytes[4096 + i] ^= 8;
    WriteBytes(path_, bytes);
    EXPECT_EQ(Reread().status().code(), StatusCode::kCorruption) << i;
  }
}

}  // namespace
}  // namespace belfry
