// read_pool.h - runs reads of the store on libuv's thread pool and brings the answers back.
//
// Loop thread only, but for the reads themselves. Destroy only when outstanding() is 0.
#pragma once

#include <uv.h>

#include <functional>

#include "base/query.h"
#include "storage/store.h"

namespace belfry {

class ReadPool {
 public:
  using DoneFn = std::function<void(QueryResult)>;

  // `loop` and `store` outlive this. `done` runs on the loop.
  ReadPool(uv_loop_t* loop, const Store& store, DoneFn done);
  ~ReadPool();

  void Run(Query query);
  [[nodiscard]] size_t outstanding() const { return outstanding_; }

 private:
  struct Work;
  void Finish(Work* work);

  uv_loop_t* loop_;
  const Store& store_;
  DoneFn done_;
  size_t outstanding_ = 0;
};

}  // namespace belfry
