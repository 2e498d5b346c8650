#include "storage/commit_thread.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace belfry {
namespace {

template <typename T>
void MoveTo(std::vector<T>* from, std::vector<T>* to) {
  if (to->empty()) {
    to->swap(*from);
  } else {
    to->insert(to->end(), std::make_move_iterator(from->begin()),
               std::make_move_iterator(from->end()));
  }
  from->clear();
}

// What the op brings along to be stored, or makes the store look at.
size_t RecordBytes(const Op& op) {
  if (const auto* put = std::get_if<PutOp>(&op.what)) return MemoryBytes(*put->timer);
  if (const auto* settle = std::get_if<SettleOp>(&op.what)) {
    return MemoryBytes(*settle->timer) + (settle->callback ? MemoryBytes(*settle->callback) : 0);
  }
  if (const auto* retry = std::get_if<RetryOp>(&op.what)) return MemoryBytes(*retry->timer);
  if (const auto* park = std::get_if<ParkOp>(&op.what)) return MemoryBytes(*park->timer);
  if (const auto* lapse = std::get_if<LapseStreamOp>(&op.what))
    return MemoryBytes(*lapse->deadline);
  // These bring little along; but they read each stream of a user, and may end them all.
  const bool of_all = std::holds_alternative<StartStreamOp>(op.what) ||
                      std::holds_alternative<DeleteUserOp>(op.what);
  return of_all ? kUserOpBytes : 0;
}

}  // namespace

CommitThread::CommitThread(Store* store, const Clock* clock, CommitThreadOptions options)
    : store_(store), clock_(clock), options_(std::move(options)), housekept_(clock->Mono()) {
  LookAtSpace();
  thread_ = std::thread([this] { Run(); });
}

CommitThread::~CommitThread() { Join(Stopping::kNow); }

void CommitThread::Submit(std::vector<Op>* ops) {
  if (ops->empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) MoveTo(ops, &waiting_);
  }
  ops->clear();
  woken_.notify_one();
}

Status CommitThread::Take(std::vector<Completion>* done) {
  const std::lock_guard lock(mutex_);
  MoveTo(&done_, done);
  return status_;
}

Status CommitThread::Stop() {
  Join(Stopping::kDrain);
  const std::lock_guard lock(mutex_);
  return status_;
}

void CommitThread::Join(Stopping how) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = how;
  }
  woken_.notify_one();
  thread_.join();
}

void CommitThread::Run() {
  std::vector<Op> group;
  while (NextGroup(&group)) {
    ++turns_;
    if (!group.empty()) ApplyGroup(std::exchange(group, {}));
    if (clock_->Mono() - housekept_ >= options_.interval_ms) Housekeep();
  }
  if (failed_ || stopping_ == Stopping::kNow || !options_.close_cleanly) return;
  if (Status s = options_.close_cleanly(); !s.ok()) Fail(std::move(s));
}

bool CommitThread::NextGroup(std::vector<Op>* group) {
  std::unique_lock lock(mutex_);
  if (taken_.empty()) {
    const auto interval = std::chrono::milliseconds(options_.interval_ms);
    idle_ = waiting_.empty();
    woken_.wait_for(lock, interval,
                    [this] { return !waiting_.empty() || stopping_ != Stopping::kNo; });
    idle_ = false;
    taken_.swap(waiting_);
  }
  if (stopping_ == Stopping::kNow) return false;
  if (stopping_ == Stopping::kDrain && taken_.empty()) return false;
  lock.unlock();
  CutGroup(group);
  return true;
}

void CommitThread::CutGroup(std::vector<Op>* group) {
  size_t bytes = 0;
  group->reserve(std::min(taken_.size() - next_, kGroupOpsMax));
  while (next_ < taken_.size() && group->size() < kGroupOpsMax && bytes < kGroupBytesMax) {
    bytes += RecordBytes(taken_[next_]);
    group->push_back(std::move(taken_[next_++]));
  }
  if (next_ < taken_.size()) return;
  taken_.clear();
  next_ = 0;
}

void CommitThread::ApplyGroup(std::vector<Op> group) {
  if (failed_) return;
  std::vector<Completion> done;
  Status s = store_->Apply(std::move(group), &done);
  {
    const std::lock_guard lock(mutex_);
    MoveTo(&done, &done_);
  }
  if (s.ok()) {
    ++commits_;
    options_.wake();
    // A second of large sets could run through all of min_free; a look costs a microsecond.
    LookAtSpace();
  } else {
    Fail(std::move(s));
  }
}

void CommitThread::Housekeep() {
  housekept_ = clock_->Mono();
  LookAtSpace();
  if (failed_ || !options_.sync_durable) return;
  if (Status s = options_.sync_durable(); !s.ok()) Fail(std::move(s));
}

void CommitThread::LookAtSpace() {
  if (!options_.free_bytes) return;
  const Result<uint64_t> free_bytes = options_.free_bytes();
  below_min_free_ = !free_bytes.ok() || *free_bytes < options_.min_free_bytes;
}

void CommitThread::Fail(Status status) {
  failed_ = true;
  {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    waiting_.clear();
  }
  options_.wake();
}

}  // namespace belfry
