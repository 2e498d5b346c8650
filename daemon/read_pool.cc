#include "daemon/read_pool.h"

#include <memory>

#include "base/check.h"

namespace belfry {

struct ReadPool::Work {
  uv_work_t request{};
  ReadPool* pool = nullptr;
  Query query;
  QueryResult result;
};

ReadPool::ReadPool(uv_loop_t* loop, const Store& store, DoneFn done)
    : loop_(loop), store_(store), done_(std::move(done)) {}

ReadPool::~ReadPool() { CHECK(outstanding_ == 0); }

void ReadPool::Run(Query query) {
  auto* work = new Work;
  work->pool = this;
  work->query = std::move(query);
  work->request.data = work;
  ++outstanding_;
  const auto run = [](uv_work_t* request) {
    auto* w = static_cast<Work*>(request->data);
    w->result = w->pool->store_.Run(w->query);
    w->result.token = w->query.token;
  };
  const auto finish = [](uv_work_t* request, int) {
    auto* w = static_cast<Work*>(request->data);
    w->pool->Finish(w);
  };
  CHECK(uv_queue_work(loop_, &work->request, run, finish) == 0);
}

void ReadPool::Finish(Work* work) {
  const std::unique_ptr<Work> owned(work);
  --outstanding_;
  done_(std::move(owned->result));
}

}  // namespace belfry
