// The commands and words of scripts that are about users and their streams.

#include "base/check.h"
#include "base/duration.h"
#include "tests/support/script_rig.h"

namespace belfry {
namespace {

std::string N(uint64_t number) { return std::to_string(number); }

// The nth that was asked for, whatever came of it.
StreamId NthStream(uint64_t n) { return UuidV4(2 * n - 1, 2 * n); }

std::string NumberOf(const StreamId& id) {
  for (uint64_t n = 1; n < 1000; ++n) {
    if (NthStream(n) == id) return N(n);
  }
  return "?";
}

}  // namespace

StreamsOptions ScriptRig::SlotOptions() {
  return {2, false, [this] { return ++random_; }};
}

bool ScriptRig::DoStream(const Words& words) {
  const std::string& verb = words.at(0);
  Streams& streams = engine_->streams();
  const auto option = [&](const std::string& name, const std::string& fallback) {
    for (const std::string& word : words) {
      if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
    }
    return fallback;
  };
  if (verb == "user") {
    const std::string limit = option("limit", "");
    streams.PutUser(
        next_token_++, kLocalTenant, words.at(1),
        limit.empty() ? std::nullopt : std::optional(static_cast<uint32_t>(std::stoul(limit))));
  } else if (verb == "delete-user") {
    streams.DeleteUser(next_token_++, kLocalTenant, words.at(1), now_);
  } else if (verb == "show") {
    streams.FindUser(next_token_++, {kLocalTenant, words.at(1), now_});
  } else if (verb == "play") {
    StreamStart start;
    start.tenant = kLocalTenant;
    start.user = words.at(1);
    start.ttl_ms = ParseDuration(option("ttl", "5s")).value();
    start.on_expire = option("on_expire", "");
    start.evict_oldest = option("policy", "reject") == "evict_oldest";
    streams.Start(next_token_++, std::move(start), now_);
  } else if (verb == "renew") {
    streams.Renew(next_token_++, kLocalTenant, words.at(1), NthStream(std::stoull(words.at(2))),
                  now_);
  } else if (verb == "end") {
    streams.End(next_token_++, kLocalTenant, words.at(1), NthStream(std::stoull(words.at(2))),
                now_);
  } else {
    return false;
  }
  return true;
}

std::string ScriptRig::DescribeStream(const Op& op) const {
  if (const auto* put = std::get_if<PutUserOp>(&op.what)) return "op user " + put->user;
  if (const auto* gone = std::get_if<DeleteUserOp>(&op.what)) return "op delete user " + gone->user;
  if (const auto* start = std::get_if<StartStreamOp>(&op.what)) {
    return "op start " + NumberOf(start->start->stream) + " deadline=" + N(start->start->deadline);
  }
  if (const auto* renew = std::get_if<RenewStreamOp>(&op.what)) {
    return "op renew " + NumberOf(renew->stream);
  }
  if (const auto* end = std::get_if<EndStreamOp>(&op.what))
    return "op end " + NumberOf(end->stream);
  if (const auto* lapse = std::get_if<LapseStreamOp>(&op.what)) {
    return "op lapse deadline=" + N(lapse->deadline->id) + " callback=" + N(lapse->callback);
  }
  return "";
}

std::string ScriptRig::DescribeStream(const Reply& reply) const {
  if (const auto* made = std::get_if<UserMadeReply>(&reply.what)) {
    return "201 user limit=" + N(made->limit);
  }
  if (std::holds_alternative<UserExistsReply>(reply.what)) return "409 user exists";
  if (std::holds_alternative<UserGoneReply>(reply.what)) return "204 user gone";
  if (const auto* user = std::get_if<UserReply>(&reply.what)) {
    std::string text = "user " + user->user.user;
    for (const StreamView& s : user->user.streams) {
      text += " " + NumberOf(s.id) + "@" + At(s.expires_at);
    }
    if (user->user.last_online.ms != 0) text += " last=" + At(user->user.last_online);
    return text;
  }
  if (const auto* started = std::get_if<StreamStartedReply>(&reply.what)) {
    std::string text = "201 stream " + NumberOf(started->stream) + " active=" + N(started->active) +
                       "/" + N(started->limit);
    for (const StreamId& id : started->evicted) text += " evicted=" + NumberOf(id);
    return text;
  }
  if (const auto* full = std::get_if<StreamLimitReply>(&reply.what)) {
    return "409 full " + N(full->playing.size()) + "/" + N(full->limit);
  }
  if (const auto* renewed = std::get_if<StreamRenewedReply>(&reply.what)) {
    return "200 expires=" + At(renewed->expires_at);
  }
  if (std::holds_alternative<StreamEndedReply>(reply.what)) return "204";
  return "";
}

}  // namespace belfry
