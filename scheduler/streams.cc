#include "scheduler/streams.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

Streams::Streams(StreamsOptions options, Timers* timers, Ready* ready)
    : options_(std::move(options)), timers_(*timers), ready_(*ready) {}

// --- what clients ask ----------------------------------------------------------------------------

void Streams::PutUser(ReplyToken token, TenantId tenant, std::string user,
                      std::optional<uint32_t> limit) {
  if (Refuses(token, true)) return;
  Queue({token, PutUserOp{tenant, std::move(user), limit}});
}

void Streams::DeleteUser(ReplyToken token, TenantId tenant, std::string user, WallMs now) {
  if (Refuses(token, false)) return;
  Queue({token, DeleteUserOp{tenant, std::move(user), now}});
}

void Streams::Start(ReplyToken token, StreamStart start, WallMs now) {
  if (Refuses(token, true)) return;
  const uint64_t high = options_.random();
  start.stream = UuidV4(high, options_.random());
  start.require_user = options_.require_user;
  start.limit = options_.limit;
  start.deadline = timers_.GiveId();
  start.now = now;
  const TimerId deadline = start.deadline;
  const WallMs least_at = now + start.ttl_ms;
  Queue({token, StartStreamOp{std::make_unique<StreamStart>(std::move(start))}}, deadline,
        std::min(least_at, kWallMax));
}

void Streams::Renew(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream,
                    WallMs now) {
  if (Refuses(token, false)) return;
  if (Planted(Bug::kRenewalAnswersEarly)) {
    Answer(std::exchange(token, 0), StreamRenewedReply{now});
  }
  Queue({token, RenewStreamOp{tenant, std::move(user), stream, now}});
}

void Streams::End(ReplyToken token, TenantId tenant, std::string user, const StreamId& stream,
                  WallMs now) {
  if (Refuses(token, false)) return;
  Queue({token, EndStreamOp{tenant, std::move(user), stream, now}});
}

void Streams::FindUser(ReplyToken token, UserQuery query) { Ask(token, std::move(query)); }
void Streams::ListUsers(ReplyToken token, UsersQuery query) { Ask(token, std::move(query)); }

bool Streams::Refuses(ReplyToken token, bool stores_something_new) {
  std::optional<Refusal> refusal;
  if (stores_something_new && no_space_) refusal = Refusal::kNoSpace;
  if (ops_ >= kStreamOpsQueuedMax) refusal = Refusal::kOverloaded;
  if (failed_) refusal = Refusal::kStopping;
  if (refusal) Answer(token, *refusal);
  return refusal.has_value();
}

void Streams::Queue(Op op, TimerId deadline, WallMs least_at) {
  ++ops_;
  timers_.QueueLeaseOp(std::move(op), deadline, least_at);
}

void Streams::Ask(ReplyToken token, decltype(Query::what) what) {
  if (queries_ >= kQueriesQueuedMax) return Answer(token, Refusal::kOverloaded);
  ++queries_;
  ready_.queries.push_back({token, std::move(what), nullptr});
}

// --- what came back ------------------------------------------------------------------------------

void Streams::Complete(Completion& done) {
  if (failed_) return;
  --ops_;
  if (done.result == OpResult::kGone) return Answer(done.token, NotFoundReply{});
  switch (done.kind) {
    case kOpKind<PutUserOp>:
      if (done.result == OpResult::kExists) return Answer(done.token, UserExistsReply{});
      return Answer(done.token,
                    UserMadeReply{done.stream->limit != 0 ? done.stream->limit : options_.limit});
    case kOpKind<DeleteUserOp>:
      return Answer(done.token, UserGoneReply{});
    case kOpKind<StartStreamOp>:
      return CompleteStart(done);
    case kOpKind<RenewStreamOp>:
      return Answer(done.token, StreamRenewedReply{done.stream->expires_at});
    default:
      CHECK(done.kind == kOpKind<EndStreamOp>);
      return Answer(done.token, StreamEndedReply{});
  }
}

void Streams::CompleteStart(Completion& done) {
  StreamResult& result = *done.stream;
  if (done.result == OpResult::kFull) {
    return Answer(done.token, StreamLimitReply{result.limit, std::move(result.playing)});
  }
  Answer(done.token,
         StreamStartedReply{result.stream, result.active, result.limit, std::move(result.evicted)});
}

void Streams::QueryDone(QueryResult result) {
  --queries_;
  if (!result.status.ok()) {
    const bool stopping = result.status.code() == StatusCode::kUnavailable;
    return Answer(result.token, stopping ? Refusal::kStopping : Refusal::kReadFailed);
  }
  if (auto* page = std::get_if<UserPage>(&result.what)) {
    return Answer(result.token, UsersReply{std::move(*page), options_.limit});
  }
  auto& user = std::get<std::optional<UserView>>(result.what);
  if (!user) return Answer(result.token, NotFoundReply{});
  Answer(result.token, UserReply{std::move(*user), options_.limit});
}

void Streams::Answer(ReplyToken token, decltype(Reply::what) what) {
  if (token != 0) ready_.replies.push_back({token, std::move(what)});
}

}  // namespace belfry
