// commit_thread.h - the one writer of the store: a FIFO of ops, one sync for a group of them.
//
// Threads: Submit, Take, Stop and the destructor on the loop thread. The callbacks run on the
// commit thread; so does everything of the Store but Run. Vectors change hands under a mutex that
// is held only for a swap. While one group syncs the next one fills: nobody waits for a timer. A
// group is all that waits, cut at kGroupOpsMax and about kGroupBytesMax; it is handed back when it
// is synced.
//
// After a failure nothing more is applied, ops that wait or come are dropped, and Take says why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/status.h"
#include "storage/store.h"

namespace belfry {

struct CommitThreadOptions {
  std::function<void()> wake;                    // there is something to Take
  std::function<Status()> sync_durable;          // about once a second, and after the last write
  std::function<Status()> close_cleanly;         // by Stop, when nothing failed
  std::function<Result<uint64_t>()> free_bytes;  // after every group, and once a second
  uint64_t min_free_bytes = 0;
  int64_t interval_ms = kDurableIntervalMs;
};

class CommitThread {
 public:
  // `store` and `clock` outlive this. Callbacks may be empty, except `wake`.
  CommitThread(Store* store, const Clock* clock, CommitThreadOptions options);
  // Ends the thread without draining and without a clean mark, if Stop was not called.
  ~CommitThread();
  CommitThread(const CommitThread&) = delete;
  CommitThread& operator=(const CommitThread&) = delete;

  // Takes all ops out of the vector, in order.
  void Submit(std::vector<Op>* ops);

  // Appends what completed since the last call, in order. Not OK: the store failed; what was
  // submitted and never came back has an unknown outcome.
  [[nodiscard]] Status Take(std::vector<Completion>* done);

  // Applies what waits, then closes the store in order. Take what is left afterwards.
  [[nodiscard]] Status Stop();

  // Below: any thread.
  // Groups applied.
  [[nodiscard]] uint64_t commits() const { return commits_; }
  // Grows at least once per interval while the thread is alive and the disk answers.
  [[nodiscard]] uint64_t turns() const { return turns_; }
  // The thread waits for ops: what is submitted now is applied at once.
  [[nodiscard]] bool idle() const { return idle_; }
  [[nodiscard]] bool below_min_free() const { return below_min_free_; }

 private:
  enum class Stopping { kNo, kNow, kDrain };

  void Run();
  // Waits for ops, the end, or the interval. False: it is over.
  bool NextGroup(std::vector<Op>* group);
  // Moves the ops that make a group from the front of taken_.
  void CutGroup(std::vector<Op>* group);
  void ApplyGroup(std::vector<Op> group);
  void Housekeep();
  void LookAtSpace();
  void Fail(Status status);
  void Join(Stopping how);

  Store* const store_;
  const Clock* const clock_;
  const CommitThreadOptions options_;

  std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<Op> waiting_;            // guarded by mutex_
  std::vector<Completion> done_;       // guarded by mutex_
  Status status_;                      // guarded by mutex_
  Stopping stopping_ = Stopping::kNo;  // guarded by mutex_

  std::atomic<uint64_t> commits_ = 0;
  std::atomic<uint64_t> turns_ = 0;
  std::atomic<bool> idle_ = false;
  std::atomic<bool> below_min_free_ = false;

  // Commit thread only.
  std::vector<Op> taken_;  // no longer waiting_; those before next_ were cut off into groups
  size_t next_ = 0;
  bool failed_ = false;
  MonoMs housekept_;

  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace belfry
