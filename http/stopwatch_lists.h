// stopwatch_lists.h - lists of stopwatches, as long as they are: page by page from the store. A
// further page is asked for when the client has room, so at most one waits here for each.
//
// Loop thread only. Each page is read under a snapshot of its own: a long list shows every
// stopwatch that was there all the time, each as it was when its page was read.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "http/message.h"
#include "http/reply_table.h"
#include "http/stopwatch_view.h"
#include "scheduler/stopwatches.h"

namespace belfry {

class StopwatchLists final : public ReplyTaker, public StreamSource {
 public:
  // `stopwatches` and `replies` outlive this, and this outlives the connections.
  StopwatchLists(Stopwatches& stopwatches, ReplyTable& replies, UserNameFn user_name,
                 size_t page_rows = kStopwatchPageRows);

  // Answers with one object: with a name the owners' of that name, else all of the tenant's.
  void Answer(const ReplyTo& to, TenantId tenant, std::string name);

  void Take(Reply&& reply, uint64_t list) override;
  void HasRoom(uint64_t list) override;
  void Gone(uint64_t list) override { lists_.erase(list); }

 private:
  struct List {
    ReplyTo to;
    StopwatchQuery query;
    bool begun = false;  // it is streamed
    bool asked = false;  // a page is on its way
    std::string unsent;  // what came before there was room
    bool roomy = false;
    bool empty = true;   // nothing stands in the object yet
    bool ended = false;  // all rows are in `unsent`, or sent
  };

  void Ask(uint64_t id, List& list);
  void Append(List& list, const StopwatchListReply& reply);
  void Send(uint64_t id);

  Stopwatches& stopwatches_;
  ReplyTable& replies_;
  const UserNameFn user_name_;
  const size_t page_rows_;
  uint64_t last_list_ = 0;
  absl::flat_hash_map<uint64_t, List> lists_;
};

}  // namespace belfry
