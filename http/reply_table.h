// reply_table.h - requests that were passed on to the scheduler and are not answered yet.
//
// Loop thread only. Each gets a token, which no other has while this lives; the token leads its
// Reply to the connection, which may be gone by then. A Refusal becomes the same problem whoever
// asked; every other Reply is rendered by the one who passed the request on.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "http/message.h"
#include "scheduler/ready.h"

namespace belfry {

// Who goes on when a Reply comes, instead of rendering it at once.
class ReplyTaker {
 public:
  virtual ~ReplyTaker() = default;
  virtual void Take(Reply&& reply, uint64_t what) = 0;
};

class ReplyTable {
 public:
  struct Waiting;
  // `reply` holds no Refusal.
  using RenderFn = Response (*)(const Reply& reply, const Waiting& waiting, WallMs now);
  struct Waiting {
    ReplyTo to;
    RenderFn render = nullptr;
    bool full_view = false;
    ReplyTaker* taker = nullptr;  // instead of render
    uint64_t what = 0;            // handed back to it
    std::string next_query;       // of a list: its parameters but `after`, each followed by '&'
    uint32_t generation = 0;
    bool taken = false;
  };

  // `clock` outlives this.
  explicit ReplyTable(const Clock& clock) : clock_(clock) {}
  ReplyTable(const ReplyTable&) = delete;
  ReplyTable& operator=(const ReplyTable&) = delete;

  [[nodiscard]] ReplyToken Add(const ReplyTo& to, RenderFn render);
  // `taker` gets the Reply with `what`, a Refusal too. It outlives this.
  [[nodiscard]] ReplyToken AddFor(ReplyTaker* taker, uint64_t what);
  // Of a token that is not answered; valid until the next Add.
  [[nodiscard]] Waiting& At(ReplyToken token);
  // Each Reply of the scheduler, once.
  void Answer(Reply&& reply);

  // Added and not answered.
  [[nodiscard]] size_t size() const { return waiting_.size() - free_.size(); }

 private:
  const Clock& clock_;
  std::vector<Waiting> waiting_;
  std::vector<uint32_t> free_;
};

[[nodiscard]] Response ResponseTo(Refusal refusal);

// A response of JSON text.
[[nodiscard]] Response Json(std::string body);

}  // namespace belfry
