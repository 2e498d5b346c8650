#include "tests/support/http_api_rig.h"

#include <gtest/gtest.h>

#include <utility>

#include "daemon/engine_start.h"
#include "http/page_routes.h"
#include "http/service_routes.h"
#include "http/target_routes.h"
#include "http/timer_routes.h"

namespace belfry {

HttpApiRig::HttpApiRig(RouterOptions options, Authentication::Mode mode, bool require_user)
    : authentication(mode, clock_), router_(authentication, std::move(options)) {
  auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk), "abcdefghij");
  EXPECT_TRUE(opened.ok());
  store_ = std::move(*opened);
  const TimersOptions timing{.retry = {.max_attempts = 3, .schedule_ms = {1000}, .jitter = 0}};
  engine =
      std::make_unique<Engine>(EngineOptions{timing, kFeedEvents, Slots(require_user)},
                               StartFrom(store_->opened()), StillClock().wall, StillClock().mono);
  timers = &engine->timers();
  http = std::make_unique<HttpRig>(router_);
  clock_.rig = http.get();
  const auto normalise_url = [](std::string_view url) -> Result<std::string> {
    if (url.starts_with("http://")) return std::string(url);
    return Invalid("must start with http://");
  };
  replies = std::make_unique<ReplyTable>(http->clock);
  timer_routes_ = std::make_unique<TimerRoutes>(
      *timers, *replies, http->clock, normalise_url,
      RetryPolicy{.max_attempts = 3, .schedule_ms = {1000}, .jitter = 0});
  timer_routes_->Register(router_);
  target_routes_ = std::make_unique<TargetRoutes>(*timers, *replies, http->clock, normalise_url);
  target_routes_->Register(router_);
  const auto user_name = [](TenantId tenant) -> std::string_view {
    return tenant == kLocalTenant ? "local" : tenant == kLocalTenant + 1 ? "bob" : "carol";
  };
  lists_ = std::make_unique<StopwatchLists>(engine->stopwatches(), *replies, user_name, kPageRows);
  events = std::make_unique<EventStreams>(
      engine->stopwatches(), *replies, http->clock, authentication, user_name,
      EventStreamsOptions{kStreamsMax, kNamesMax, kPageRows, kWritesPerTurn});
  authentication.WhenTokensChange([this] { events->EndRevoked(); });
  stopwatch_routes_ = std::make_unique<StopwatchRoutes>(engine->stopwatches(), *replies,
                                                        http->clock, *lists_, *events);
  stopwatch_routes_->Register(router_);
  stream_routes_ = std::make_unique<StreamRoutes>(engine->streams(), *replies, http->clock,
                                                  normalise_url, 60 * kSecondMs);
  stream_routes_->Register(router_);
  RegisterPageRoutes(router_);
  RegisterServiceRoutes(router_, [this] { return why_not_ready; });
  http->each_turn = [this] { Pump(); };
  http->RunTurns();
  client = std::make_unique<HttpClient>(*http);
}

HttpApiRig::~HttpApiRig() = default;

StreamsOptions HttpApiRig::Slots(bool require_user) {
  return {3, require_user, [n = std::make_shared<uint64_t>(0)] { return ++*n; }};
}

void HttpApiRig::Pump() {
  engine->Tick(http->clock.wall, http->clock.mono);
  Ready ready = engine->TakeReady();
  for (const Delivery& delivery : ready.deliveries) started.push_back(delivery);
  for (Reply& reply : ready.replies) replies->Answer(std::move(reply));
  for (Query& query : ready.queries) held_queries.push_back(std::move(query));
  if (!hold_queries) {
    for (const Query& query : std::exchange(held_queries, {})) {
      engine->QueryDone(store_->Run(query), http->clock.mono);
      ++queries_run;
    }
  }
  if (ready.ops.empty() || hold_ops) {
    for (Op& op : ready.ops) held.push_back(std::move(op));
  } else {
    Apply(std::move(ready.ops));
  }
  events->Tick();
}

void HttpApiRig::Apply(std::vector<Op> ops) {
  std::vector<Completion> done;
  const Status status = store_->Apply(std::move(ops), &done);
  engine->Complete(std::move(done), http->clock.wall);
  if (!status.ok()) engine->StoreFailed();
}

void HttpApiRig::ReleaseOps() {
  hold_ops = false;
  Apply(std::exchange(held, {}));
}

std::vector<QueryResult> HttpApiRig::ReadHeld() {
  std::vector<QueryResult> results;
  for (const Query& query : std::exchange(held_queries, {})) results.push_back(store_->Run(query));
  return results;
}

void HttpApiRig::HandBack(std::vector<QueryResult> results) {
  hold_queries = false;
  for (QueryResult& result : results) engine->QueryDone(std::move(result), http->clock.mono);
}

std::string HttpApiRig::Ask(std::string_view request) {
  client->Received();
  if (client->ended) client = std::make_unique<HttpClient>(*http);
  return client->Ask(request);
}

void HttpApiRig::Admit(const std::string& token, TenantId tenant, Scopes scopes) {
  grants.push_back({TokenHasher().Hash(token), tenant, scopes, {}});
  SetGrants();
}

void HttpApiRig::SetGrants() {
  TokenTable table;
  for (const Grant& grant : grants) EXPECT_TRUE(table.Add(grant));
  authentication.SetTokens(std::move(table));
}

std::string HttpApiRig::Set(int seconds) {
  return BodyOf(Ask(
      PostJson("/timers", "{\"url\":\"http://r/x\",\"seconds\":" + std::to_string(seconds) + "}")));
}

std::string HttpApiRig::Delete(std::string_view path) {
  return Ask("DELETE " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

void HttpApiRig::PassAndAnswer(int64_t ms, int status) {
  http->Advance(ms);
  http->RunTurns();
  for (const Delivery& delivery : std::exchange(started, {})) {
    Outcome outcome;
    outcome.id = delivery.timer->id;
    outcome.kind = OutcomeKind::kAnswered;
    outcome.status = status;
    outcome.started = http->clock.wall;
    outcome.duration_ms = 7;
    timers->DeliveryDone(std::move(outcome), http->clock.wall);
  }
  http->RunTurns();
}

}  // namespace belfry
