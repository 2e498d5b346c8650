// read_pool.h - runs reads of the store on libuv's thread pool and brings the answers back.
//
// Loop thread only, but for the reads themselves. Destroy only when outstanding() is 0.
//
// A count that has to look at every timer may take seconds: at most kCountScansMax run at once, the
// others wait for their turn, so that other reads find a thread.
#pragma once

#include <uv.h>

#include <atomic>
#include <deque>
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
  void Start(Work* work);
  void Finish(Work* work);

  uv_loop_t* loop_;
  const Store& store_;
  DoneFn done_;
  absl::flat_hash_set<Work*> works_;  // owned until they come back
  std::atomic<bool> stop_ = false;
  int scans_ = 0;              // counts that run
  std::deque<Work*> waiting_;  // counts that wait for one of them
};

}  // namespace belfry
