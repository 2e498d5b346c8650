#include "daemon/read_pool.h"

#include <memory>

#include "base/check.h"

namespace belfry {

struct ReadPool::Work {
  uv_work_t request{};
  ReadPool* pool = nullptr;
  Query query;
  // Until it was run.
  QueryResult result{0, {StatusCode::kUnavailable, "stopping"}, {}};
};

ReadPool::ReadPool(uv_loop_t* loop, const Store& store, DoneFn done)
    : loop_(loop), store_(store), done_(std::move(done)) {}

ReadPool::~ReadPool() { CHECK(works_.empty()); }

void ReadPool::Run(Query query) {
  auto* work = new Work;
  work->pool = this;
  work->query = std::move(query);
  work->query.stop = &stop_;
  work->request.data = work;
  works_.insert(work);
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
  for (Work* work : works_) uv_cancel(reinterpret_cast<uv_req_t*>(&work->request));
}

void ReadPool::Finish(Work* work) {
  const std::unique_ptr<Work> owned(work);
  works_.erase(work);
  owned->result.token = owned->query.token;
  done_(std::move(owned->result));
}

}  // namespace belfry
