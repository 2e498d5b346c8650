#include "daemon/read_pool.h"

#include <memory>

#include "base/check.h"
#include "base/limits.h"

namespace belfry {
namespace {

bool IsScan(const Query& query) {
  const auto* count = std::get_if<CountQuery>(&query.what);
  return count != nullptr && count->filter.NeedsScan();
}

}  // namespace

struct ReadPool::Work {
  uv_work_t request{};
  ReadPool* pool = nullptr;
  Query query;
  bool started = false;
  QueryResult result;
};

ReadPool::ReadPool(uv_loop_t* loop, const Store& store, DoneFn done)
    : loop_(loop), store_(store), done_(std::move(done)) {}

ReadPool::~ReadPool() { CHECK(works_.empty()); }

void ReadPool::Run(Query query) {
  auto* work = new Work;
  work->result = QueryResult(query);
  work->result.status = {StatusCode::kUnavailable, "stopping"};  // until it was run
  work->pool = this;
  work->query = std::move(query);
  work->query.stop = &stop_;
  work->request.data = work;
  works_.insert(work);
  if (IsScan(work->query)) {
    if (scans_ == kCountScansMax) {
      waiting_.push_back(work);
      return;
    }
    ++scans_;
  }
  Start(work);
}

void ReadPool::Start(Work* work) {
  work->started = true;
  const auto run = [](uv_work_t* request) {
    auto* w = static_cast<Work*>(request->data);
    if (!w->pool->stop_) w->result = w->pool->store_.Run(w->query);
  };
  const auto finish = [](uv_work_t* request, int) {
    auto* w = static_cast<Work*>(request->data);
    w->pool->Finish(w);
  };
  CHECK(uv_queue_work(loop_, &work->request, run, finish) == 0);
}

void ReadPool::Stop() {
  stop_ = true;
  // One that a thread has taken already cannot be cancelled; it sees the flag.
  for (Work* work : works_) {
    if (work->started) uv_cancel(reinterpret_cast<uv_req_t*>(&work->request));
  }
}

void ReadPool::Finish(Work* work) {
  const std::unique_ptr<Work> owned(work);
  works_.erase(work);
  if (IsScan(owned->query)) {
    if (waiting_.empty()) {
      --scans_;
    } else {
      Start(waiting_.front());
      waiting_.pop_front();
    }
  }
  done_(std::move(owned->result));
}

}  // namespace belfry
