// durable_file.h - the witness beside the store: what was durable, written where a damaged log
// cannot take it along. A store that comes back with less has lost acknowledged records.
//
// One thread. Two slots of one block each are written in turn, so a torn write spoils the one being
// written and the other still speaks, a second older. Reading takes the newest slot that is whole.
#pragma once

#include <cstdint>
#include <string>

#include "base/id.h"
#include "base/status.h"
#include "storage/files.h"

namespace belfry {

struct DurableProof {
  std::string store_id;    // 10 characters
  uint64_t commit_no = 0;  // this batch and all before it were synced
  TimerId last_id = 0;     // the greatest id given out by then
  bool clean = false;      // nothing was committed after it
  friend bool operator==(const DurableProof&, const DurableProof&) = default;
};

class DurableFile {
 public:
  // Replaces whatever is at `path`, whole or not at all.
  [[nodiscard]] static Result<DurableFile> Create(const std::string& path,
                                                  const DurableProof& proof);
  // kNotFound: no file. kCorruption: no slot of it is whole.
  [[nodiscard]] static Result<DurableFile> Open(const std::string& path);

  // As read or as last written. `clean` only when both slots are whole.
  [[nodiscard]] const DurableProof& proof() const { return proof_; }

  // Synced on return.
  [[nodiscard]] Status Write(const DurableProof& proof);

 private:
  DurableFile(std::string path, Fd fd, DurableProof proof, uint64_t turn);

  std::string path_;
  Fd fd_;
  DurableProof proof_;
  uint64_t turn_ = 0;  // of the newest slot; the next write goes to the other one
};

}  // namespace belfry
