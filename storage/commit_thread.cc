#include "storage/commit_thread.h"

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
    if (!failed_ && !group.empty()) ApplyGroup(std::exchange(group, {}));
    group.clear();
    if (clock_->Mono() - housekept_ >= options_.interval_ms) Housekeep();
  }
  if (failed_ || stopping_ == Stopping::kNow || !options_.close_cleanly) return;
  if (Status s = options_.close_cleanly(); !s.ok()) Fail(std::move(s));
}

bool CommitThread::NextGroup(std::vector<Op>* group) {
  std::unique_lock lock(mutex_);
  const auto interval = std::chrono::milliseconds(options_.interval_ms);
  woken_.wait_for(lock, interval,
                  [this] { return !waiting_.empty() || stopping_ != Stopping::kNo; });
  if (stopping_ == Stopping::kNow) return false;
  if (stopping_ == Stopping::kDrain && waiting_.empty()) return false;
  group->swap(waiting_);
  return true;
}

void CommitThread::ApplyGroup(std::vector<Op> group) {
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
