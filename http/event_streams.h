// event_streams.h - GET /api/stopwatch/events: changes of stopwatches as server-sent events.
//
// Loop thread only. A stream is asked for, then told apart (403, or its head), then its snapshot is
// sent page by page, then the changes as they come. Nothing is kept for it but its names and its
// place in the feed: what it cannot take yet stays there, and one that falls behind is cut off, so
// that its client resumes.
//
//   : server_now 2026-11-21T08:00:00.000Z      at the beginning, and every kFeedCommentMs
//   event: resync                              before a snapshot, to a client that asked to resume
//   event: snapshot                            what there is, an array in one or more `data` lines
//   event: created | reset | deleted
//
// Every event has an id, "<run>-<number>", but for resync and what follows the end of owning one of
// the names; one that the client names in Last-Event-ID is resumed behind, without a snapshot. What
// came before the snapshot was read may follow it once more.
//
// Each stays on a connection, so there are streams_max at most, with names_max names together, and
// one user has half of either at most when there are users; the next one is a 503.
//
// What many streams are to be told goes out over several turns of the loop.
//
// A stream ends when its caller owns none of its names any more, and when its token is revoked or
// has expired, which is looked at with every comment.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "http/authentication.h"
#include "http/message.h"
#include "http/reply_table.h"
#include "http/stopwatch_view.h"
#include "scheduler/stopwatches.h"

namespace belfry {

struct EventStreamsOptions {
  size_t streams_max = 0;
  size_t names_max = kFeedNamesOfAllMax;
  size_t page_rows = kStopwatchPageRows;
  size_t writes_per_turn = kFeedWritesPerTurnMax;
};

class EventStreams final : public ReplyTaker, public StreamSource {
 public:
  // All of these outlive this, and this outlives the connections.
  EventStreams(Stopwatches& stopwatches, ReplyTable& replies, const Clock& clock,
               const Authentication& authentication, UserNameFn user_name,
               EventStreamsOptions options);

  // `last_event_id` as the client sent it; nullopt: it did not.
  void Open(const ReplyTo& to, const Ticket& ticket, StopwatchFeed::Wish wish,
            std::optional<std::string_view> last_event_id);

  // Once a turn: sends what the feed has, and the comments that are due.
  void Tick();
  // It was more than one turn may send: the next one is due at once.
  [[nodiscard]] bool busy() const;
  // Other tokens let in: those whose token does not any more end in order.
  void EndRevoked();
  // The daemon stops: all end in order.
  void EndAll();

  void Take(Reply&& reply, uint64_t stream) override;
  void HasRoom(uint64_t stream) override;
  void Gone(uint64_t stream) override { Forget(stream); }

  [[nodiscard]] size_t size() const { return streams_.size(); }

 private:
  struct Stream {
    ReplyTo to;
    Ticket ticket;
    TenantId tenant = 0;
    size_t names = 0;
    StopwatchQuery query;          // of the snapshot's next page; nothing once that is complete
    uint64_t snapshot_number = 0;  // of the last change before it subscribed
    bool resync = false;
    bool snapshot = false;  // it is to have one
    bool begun = false;     // its head is sent
    bool greeted = false;
    bool roomy = false;
    bool paging = false;  // the snapshot is not complete
    bool begun_snapshot = false;
    bool asked = false;                 // a page is on its way
    bool any_row = false;               // of the snapshot
    std::optional<StopwatchPage> page;  // to be sent when there is room
  };

  struct Held {
    size_t streams = 0;
    size_t names = 0;  // of them all
  };

  [[nodiscard]] bool HasRoomFor(TenantId tenant, size_t names) const;
  void Ask(uint64_t id, Stream& stream);
  void Begin(uint64_t id, Stream& stream);
  void Send(uint64_t id);
  void SendPage(uint64_t id, Stream& stream);
  // False: there is nothing more to send now, or the stream is no more.
  [[nodiscard]] bool SendChange(uint64_t id, Stream& stream);
  void Write(Stream& stream, std::string_view bytes);
  void SendComments();
  void SendComment(uint64_t id, std::string_view comment);
  void Forget(uint64_t id);
  void End(uint64_t id);
  [[nodiscard]] WallMs Now() const { return stopwatches_.Now(clock_.Mono()); }
  [[nodiscard]] std::string IdLine(uint64_t number) const;
  [[nodiscard]] std::string Comment() const;
  // With its id, or without; the same for all who get it at the same time.
  [[nodiscard]] std::string_view TextOf(const StopwatchEvent& event, bool with_id);
  // kNoNumber: it is of no event of this run.
  [[nodiscard]] uint64_t NumberIn(std::string_view event_id) const;

  Stopwatches& stopwatches_;
  ReplyTable& replies_;
  const Clock& clock_;
  const Authentication& authentication_;
  const UserNameFn user_name_;
  const EventStreamsOptions options_;
  bool ended_ = false;
  uint64_t last_stream_ = 0;
  absl::flat_hash_map<uint64_t, Stream> streams_;
  size_t names_ = 0;                                  // of all streams
  absl::flat_hash_map<TenantId, Held> held_by_;       // who has any
  std::deque<uint64_t> woken_;                        // to be sent what the feed has for them
  std::deque<std::pair<MonoMs, uint64_t>> comments_;  // when to whom; those that ended pass by
  uint64_t text_number_ = 0;                          // what text_ is about, and the time in it
  WallMs text_now_;
  std::string text_;
  std::string text_without_id_;
};

}  // namespace belfry
