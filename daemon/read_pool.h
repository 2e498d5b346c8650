// read_pool.h - runs reads of the store on libuv's thread pool and brings the answers back.
//
// Loop thread only, but for the reads themselves. Destroy only when outstanding() is 0.
#pragma once

#include <uv.h>

#include <atomic>
#include <functional>

#include "absl/container/flat_hash_set.h"
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

  // Nobody waits for answers any more: reads that have not begun are dropped, those under way end
  // soon, later ones end at once. Each still comes back through `done`, with kUnavailable.
  void Stop();

  [[nodiscard]] size_t outstanding() const { return works_.size(); }

 private:
  struct Work;
  void Finish(Work* work);

  uv_loop_t* loop_;
  const Store& store_;
  DoneFn done_;
  absl::flat_hash_set<Work*> works_;  // owned until they come back
  std::atomic<bool> stop_ = false;
};

}  // namespace belfry
