// streams.h - the scheduler of users and their stream slots: a pure step machine like Timers,
// beside it in the Engine. Nothing of them is kept in memory: who has a slot is decided by the
// store, op by op, and the deadlines of leases stand in the heap of Timers.
//
// Loop thread only. Exactly one Reply is made for each token that was given in. Whatever changes
// something is answered by the completion that made it durable. Nothing is started or renewed by a
// clock that cannot be right: its leases would outlast the mistake.
//
// What is queued is bounded by kind, so that starts leave room to heartbeats; what ends something
// is never refused.
//
// A refused start is answered with what plays, which is read like any list, a bounded number at
// once: the list is of a moment after the refusal, by the clock of the refusal. The others wait;
// they count as starts until they are answered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/query.h"
#include "scheduler/ready.h"
#include "scheduler/timers.h"

namespace belfry {

struct StreamsOptions {
  uint32_t limit = 3;         // streams.limit
  bool require_user = false;  // streams.require_user
  // 64 random bits; stream ids are made of them. Seeded in the simulator.
  std::function<uint64_t()> random = {};
  size_t ops_max = kStreamOpsQueuedMax;
  size_t lists_max = kStreamListsMax;
};

class Streams {
 public:
  // `timers` and `ready` outlive this; the owner of both takes what is in `ready`.
  Streams(StreamsOptions options, Timers* timers, Ready* ready);
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // --- what clients ask -------------------------------------------------------------------------
  // UserMadeReply or UserExistsReply; or a Refusal, then nothing was stored.
  void PutUser(ReplyToken token, TenantId tenant, std::string user, std::optional<uint32_t> limit);
  void DeleteUser(ReplyToken token, TenantId tenant, std::string user,
                  WallMs now);                         // UserGoneReply
  void FindUser(ReplyToken token, UserQuery query);    // UserReply or NotFoundReply
  void ListUsers(ReplyToken token, UsersQuery query);  // UsersReply
  // Its tenant, user, content, ttl, on_expire and evict_oldest; the rest is set here.
  // StreamStartedReply, StreamLimitReply, or NotFoundReply: a user is required and not there.
  void Start(ReplyToken token, StreamStart start, WallMs now);
  // StreamRenewedReply; NotFoundReply: it is not alive.
  void Renew(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream,
             WallMs now);
  // StreamEndedReply, also when it was over before; NotFoundReply: no such user.
  void End(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream, WallMs now);

  // --- what came back ---------------------------------------------------------------------------
  [[nodiscard]] static bool IsOurs(size_t op_kind) {
    return op_kind == kOpKind<PutUserOp> || op_kind == kOpKind<DeleteUserOp> ||
           op_kind == kOpKind<StartStreamOp> || op_kind == kOpKind<RenewStreamOp> ||
           op_kind == kOpKind<EndStreamOp>;
  }
  [[nodiscard]] static bool IsOurQuery(size_t query_kind) {
    return query_kind == kQueryKind<UserQuery> || query_kind == kQueryKind<UsersQuery>;
  }
  // Of its own ops, in the store's order, after Timers took what it says of timers.
  void Complete(Completion& done);
  void QueryDone(QueryResult result);
  // Timers answers whoever waits for an op.
  void StoreFailed();

  void SetNoSpace(bool no_space) { no_space_ = no_space; }

 private:
  struct Refused {
    ReplyToken token = 0;
    uint32_t limit = 0;
    UserQuery query;
  };

  // Of what brings along so many bytes.
  [[nodiscard]] std::optional<Refusal> WhyNothingNew(size_t bytes) const;
  [[nodiscard]] std::optional<Refusal> WhyNoRenewal() const;
  [[nodiscard]] bool ClockIsWrong() const;
  // `now`; while that cannot be right the time that was right last, so that who plays may end it
  // and what is ended has not lapsed.
  [[nodiscard]] WallMs Believed(WallMs now) const;
  // True: it is answered.
  [[nodiscard]] bool Refuses(ReplyToken token, std::optional<Refusal> why);
  void CompleteStart(Completion& done);
  void ReadLists();
  void AnswerRefused(uint32_t limit, QueryResult result);
  void Ask(ReplyToken token, decltype(Query::what) what);
  // The read of `result` failed.
  void AnswerFailed(const QueryResult& result);
  void Answer(ReplyToken token, decltype(Reply::what) what);

  const StreamsOptions options_;
  Timers& timers_;
  Ready& ready_;
  size_t made_ = 0;               // starts and new users, queued and not answered
  size_t renewals_ = 0;           // the same
  size_t queries_ = 0;            // asked by clients and not answered
  std::deque<Refused> unlisted_;  // starts whose list is not asked for yet
  absl::flat_hash_map<ReplyToken, uint32_t> listing_;  // whose list is being read: the limit
  bool no_space_ = false;
  bool failed_ = false;
};

}  // namespace belfry
