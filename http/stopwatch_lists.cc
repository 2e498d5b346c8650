#include "http/stopwatch_lists.h"

#include <utility>

#include "base/limits.h"
#include "http/problem.h"

namespace belfry {

StopwatchLists::StopwatchLists(Stopwatches& stopwatches, ReplyTable& replies, UserNameFn user_name,
                               size_t page_rows)
    : stopwatches_(stopwatches),
      replies_(replies),
      user_name_(std::move(user_name)),
      page_rows_(page_rows) {}

void StopwatchLists::Answer(const ReplyTo& to, TenantId tenant, std::string name) {
  List list;
  list.to = to;
  list.query.tenant = tenant;
  list.query.own = name.empty();
  if (!name.empty()) list.query.names.push_back(std::move(name));
  list.query.rows_max = page_rows_;
  const uint64_t id = ++last_list_;
  Ask(id, lists_.emplace(id, std::move(list)).first->second);
}

void StopwatchLists::Ask(uint64_t id, List& list) {
  list.asked = true;
  stopwatches_.List(replies_.AddFor(this, id), list.query);
}

void StopwatchLists::Take(Reply&& reply, uint64_t id) {
  const auto found = lists_.find(id);
  if (found == lists_.end()) return;  // the client is gone
  List& list = found->second;
  list.asked = false;
  if (const auto* page = std::get_if<StopwatchListReply>(&reply.what)) {
    Append(list, *page);
    if (list.begun) return Send(id);
    if (list.ended) {
      Respond(list.to, Json(std::move(list.unsent)));
      lists_.erase(found);
      return;
    }
    list.begun = true;
    if (!list.to.responder->Begin(list.to, {}, {this, id, false})) lists_.erase(id);
    return;
  }
  const ReplyTo to = list.to;
  const bool begun = list.begun;
  lists_.erase(found);
  if (begun) return to.responder->CutOff(to);
  const auto* refusal = std::get_if<Refusal>(&reply.what);
  Respond(to, refusal ? ResponseTo(*refusal)
                      : Problem(ProblemKind::kNotOwned, "you have no stopwatch of this name"));
}

void StopwatchLists::Append(List& list, const StopwatchListReply& reply) {
  for (const Stopwatch& row : reply.page.rows) {
    list.unsent += std::exchange(list.empty, false) ? '{' : ',';
    if (list.query.own) {
      AppendOwnStopwatch(list.unsent, row, reply.now);
    } else {
      AppendOwnersStopwatch(list.unsent, row, reply.now, user_name_);
    }
  }
  list.query.after = reply.page.next;
  list.ended = !reply.page.next;
  if (list.ended) list.unsent += list.empty ? "{}" : "}";
}

void StopwatchLists::HasRoom(uint64_t id) {
  const auto found = lists_.find(id);
  if (found == lists_.end()) return;
  found->second.roomy = true;
  Send(id);
}

void StopwatchLists::Send(uint64_t id) {
  List& list = lists_.at(id);
  if (!list.roomy) return;
  if (!list.unsent.empty()) {
    list.roomy = list.to.responder->Write(list.to, std::exchange(list.unsent, {}));
  }
  if (!list.ended) {
    if (list.roomy && !list.asked) Ask(id, list);
    return;
  }
  const ReplyTo to = list.to;
  lists_.erase(id);
  to.responder->End(to);
}

}  // namespace belfry
