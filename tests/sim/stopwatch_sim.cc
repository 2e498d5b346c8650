#include "tests/sim/stopwatch_sim.h"

#include <algorithm>

namespace belfry::sim {
namespace {

constexpr int kSubscribers = 3;
constexpr TenantId kTenants = 3;
constexpr const char* kNames[] = {"tea", "teapot", "run"};

Op CopyOf(const Op& op) {
  Op copy;
  if (const auto* put = std::get_if<StopwatchPutOp>(&op.what)) copy.what = *put;
  if (const auto* gone = std::get_if<StopwatchDeleteOp>(&op.what)) copy.what = *gone;
  copy.token = op.token;
  return copy;
}

std::string Text(const StopwatchModel::Rows& rows) {
  std::string text;
  for (const auto& [key, at] : rows) {
    text += " " + std::to_string(key.first) + "/" + key.second + "@" + std::to_string(at.ms);
  }
  return text;
}

}  // namespace

StopwatchSim::StopwatchSim(uint64_t seed)
    : random_(seed ^ 0x5eed'0f5e'ed0f'5eedu), subscribers_(kSubscribers) {}

ReplyToken StopwatchSim::Expect(Asked asked) {
  asked.clock_wrong = clock_wrong_;
  asked_.emplace(next_token_, std::move(asked));
  return next_token_++;
}

// --- the store -----------------------------------------------------------------------------------

void StopwatchSim::Given(const Op& op) {
  if (Stopwatches::IsOurs(op.what.index())) given_.push_back(CopyOf(op));
}

void StopwatchSim::Applied(const std::vector<Completion>& done, bool ok) {
  size_t count = 0;
  for (const Completion& completion : done) {
    if (!Stopwatches::IsOurs(completion.kind)) continue;
    if (model_.Do(given_.at(count++)) != completion.result) Fail("S1: an op says what is not so");
    durable_.insert(completion.token);
  }
  given_.erase(given_.begin(), given_.begin() + static_cast<std::ptrdiff_t>(count));
  if (ok && !given_.empty()) Fail("S1: an op was applied and says nothing");
}

bool StopwatchSim::Matches(const StopwatchModel& model) {
  for (TenantId tenant = 1; tenant <= kTenants; ++tenant) {
    std::vector<StopwatchQuery> queries = {{tenant, {}, true, {}, 1000}};
    for (const char* name : kNames) queries.push_back({tenant, {name}, false, {}, 1000});
    for (const StopwatchQuery& query : queries) {
      const QueryResult result = store_->Run({0, query, nullptr});
      const auto* page = std::get_if<StopwatchPage>(&result.what);
      const StopwatchPage expected = model.Answer(query);
      if (page == nullptr || page->owned != expected.owned || page->rows != expected.rows) {
        return false;
      }
    }
  }
  return true;
}

// Of a group that failed any number of ops may be there, from the front.
void StopwatchSim::Opened(Engine* engine, const Store& store) {
  engine_ = engine;
  store_ = &store;
  bool matches = Matches(model_);
  for (const Op& op : given_) {
    if (matches) break;
    static_cast<void>(model_.Do(op));
    matches = Matches(model_);
  }
  if (!matches) Fail("S1: after a start the stopwatches are not those that were durable");
  given_.clear();
}

void StopwatchSim::Crashed() {
  asked_.clear();
  durable_.clear();
  elapsed_.clear();
  changes_ = 0;
  owned_since_.clear();
  for (Subscriber& subscriber : subscribers_) subscriber = {};
}

void StopwatchSim::WasRead(const Query& query, const QueryResult& result) {
  const auto* asked = std::get_if<StopwatchQuery>(&query.what);
  if (asked == nullptr) return;
  const StopwatchPage expected = model_.Answer(*asked);
  const auto* page = std::get_if<StopwatchPage>(&result.what);
  if (page == nullptr || page->owned != expected.owned || page->rows != expected.rows) {
    Fail("S2: a list is not what is stored");
  }
}

// --- clients -------------------------------------------------------------------------------------

void StopwatchSim::Step(MonoMs mono, bool clock_sane) {
  clock_wrong_ = !clock_sane;
  const int who = static_cast<int>(Random(kSubscribers));
  switch (Random(8)) {
    case 0:
      return Connect(who);
    case 1:
      Disconnect(who);
      if (Random(4) == 0) LoseAndTakeAName(who, mono);
      return;
    case 2:
      return TakeSome(who, Random(2) == 0 ? 1 : 100);
    case 3: {
      const StopwatchFeed::Wish wish = RandomWish();
      StopwatchQuery query{wish.tenant, wish.names, wish.own, {}, 1 + Random(4)};
      Asked asked;
      asked.query = query;
      return engine_->stopwatches().List(Expect(std::move(asked)), query);
    }
    default:
      return ChangeOne(mono);
  }
}

TenantId StopwatchSim::AnyTenant() { return static_cast<TenantId>(1 + Random(kTenants)); }

void StopwatchSim::ChangeOne(MonoMs mono) {
  const TenantId tenant = AnyTenant();
  const char* const name = kNames[Random(std::size(kNames))];
  Change(tenant, name, Random(3) > 0, mono);
}

// While it is away, and others do something with that name.
void StopwatchSim::LoseAndTakeAName(int who, MonoMs mono) {
  const StopwatchFeed::Wish& wish = subscribers_[static_cast<size_t>(who)].wish;
  if (wish.names.empty()) return;
  const std::string name = wish.names[Random(wish.names.size())];
  Change(wish.tenant, name, false, mono);
  Change(AnyTenant(), name, true, mono);
  Change(wish.tenant, name, true, mono);
}

void StopwatchSim::Change(TenantId tenant, const std::string& name, bool starts, MonoMs mono) {
  Asked asked;
  asked.op = true;
  asked.started = starts;
  const ReplyToken token = Expect(asked);
  if (asked.started) {
    engine_->stopwatches().Start(token, tenant, name, mono);
  } else {
    engine_->stopwatches().Delete(token, tenant, name);
  }
}

StopwatchFeed::Wish StopwatchSim::RandomWish() {
  StopwatchFeed::Wish wish;
  wish.tenant = AnyTenant();
  for (const char* name : kNames) {
    if (Random(3) == 0) wish.names.emplace_back(name);
  }
  wish.own = wish.names.empty() || Random(2) == 0;
  return wish;
}

// Anew, or where it was cut off.
void StopwatchSim::Connect(int who) {
  Subscriber& subscriber = subscribers_[static_cast<size_t>(who)];
  if (subscriber.connected) return;
  if (!subscriber.heard || Random(3) == 0) {
    subscriber = {};
    subscriber.wish = RandomWish();
  }
  StopwatchFeed& feed = engine_->stopwatches().feed();
  const auto id = static_cast<StopwatchFeed::SubscriberId>(who);
  const bool resumed = feed.Subscribe(id, subscriber.wish, subscriber.heard) && subscriber.heard;
  subscriber.connected = true;
  subscriber.connection = ++connections_;
  subscriber.ready = false;
  subscriber.gave_up.clear();
  subscriber.last = 0;
  resumes_ += resumed ? 1 : 0;
  if (!resumed) {
    subscriber.knows.clear();
    subscriber.heard = feed.last();
  }
  const StopwatchFeed::Wish& wish = subscriber.wish;
  subscriber.paging =
      StopwatchQuery{wish.tenant, wish.names, wish.own, {}, resumed ? 0 : 1 + Random(4)};
  AskPage(who);
}

void StopwatchSim::AskPage(int who) {
  Asked asked;
  asked.subscriber = who;
  asked.connection = subscribers_[static_cast<size_t>(who)].connection;
  asked.query = subscribers_[static_cast<size_t>(who)].paging;
  StopwatchQuery query = *asked.query;
  engine_->stopwatches().List(Expect(std::move(asked)), std::move(query));
}

// What it heard stays, so that it can go on.
void StopwatchSim::Disconnect(int who) {
  Subscriber& subscriber = subscribers_[static_cast<size_t>(who)];
  if (!subscriber.connected) return;
  engine_->stopwatches().feed().Unsubscribe(static_cast<StopwatchFeed::SubscriberId>(who));
  subscriber.connected = false;
  if (!subscriber.ready) subscriber.heard.reset();
}

void StopwatchSim::TakeSome(int who, uint64_t most) {
  Subscriber& subscriber = subscribers_[static_cast<size_t>(who)];
  if (!subscriber.connected || !subscriber.ready) return;
  StopwatchFeed& feed = engine_->stopwatches().feed();
  for (uint64_t i = 0; i < most; ++i) {
    const auto taken = feed.Take(static_cast<StopwatchFeed::SubscriberId>(who));
    switch (taken.place) {
      case StopwatchFeed::Place::kNothing:
        return;
      case StopwatchFeed::Place::kEvent:
        Hear(subscriber, *taken.event, taken.complete);
        break;
      case StopwatchFeed::Place::kLost:
        return Disconnect(who);
      case StopwatchFeed::Place::kEnded:
        Disconnect(who);
        subscriber = {};
        return;
    }
  }
}

void StopwatchSim::Hear(Subscriber& subscriber, const StopwatchEvent& event, bool complete) {
  ++events_;
  const Stopwatch& changed = event.stopwatch;
  if (event.number <= subscriber.last) Fail("S4: an event comes twice");
  subscriber.last = event.number;
  if (complete) subscriber.heard = event.number;
  if (subscriber.gave_up.contains(changed.name) && changed.tenant != subscriber.wish.tenant) {
    Fail("S5: a subscriber hears of a name that it owns no more");
  }
  const auto owned = owned_since_.find({subscriber.wish.tenant, changed.name});
  const bool early = owned != owned_since_.end() && event.number < owned->second;
  if (early && changed.tenant != subscriber.wish.tenant) {
    Fail("S5: a subscriber hears of a name what others did before it owned one");
  }
  const auto key = std::pair(changed.tenant, changed.name);
  if (event.kind == StopwatchEvent::Kind::kDeleted) {
    subscriber.knows.erase(key);
  } else {
    subscriber.knows[key] = changed.started_at;
  }
}

void StopwatchSim::HandedBack(const Completion& done) {
  const bool deletes = done.kind == kOpKind<StopwatchDeleteOp>;
  const bool puts = done.kind == kOpKind<StopwatchPutOp>;
  if (puts || (deletes && done.result == OpResult::kDone)) ++changes_;
  if (puts && done.result == OpResult::kDone) {
    owned_since_[{done.stopwatch.tenant, done.stopwatch.name}] = changes_;
  }
  if (!deletes || done.result != OpResult::kDone) return;
  for (Subscriber& subscriber : subscribers_) {
    const auto& names = subscriber.wish.names;
    const bool named = std::find(names.begin(), names.end(), done.stopwatch.name) != names.end();
    if (subscriber.connected && named && subscriber.wish.tenant == done.tenant) {
      subscriber.gave_up.insert(done.stopwatch.name);
    }
  }
}

// --- answers -------------------------------------------------------------------------------------

bool StopwatchSim::Answered(const Reply& reply) {
  const auto found = asked_.find(reply.token);
  if (found == asked_.end()) return false;
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  const bool refused = std::holds_alternative<Refusal>(reply.what);
  if (asked.op && !refused && durable_.erase(reply.token) == 0) {
    Fail("S1: a client was answered before it was durable");
  }
  const bool measured = std::holds_alternative<StopwatchReply>(reply.what) ||
                        std::holds_alternative<StopwatchListReply>(reply.what);
  if (asked.clock_wrong && measured) Fail("S6: a clock that cannot be right is measured with");
  if (const auto* list = std::get_if<StopwatchListReply>(&reply.what)) {
    CheckElapsed(*list);
    TakePage(asked, *list);
  } else if (asked.subscriber >= 0) {
    Subscriber& subscriber = subscribers_[static_cast<size_t>(asked.subscriber)];
    if (!subscriber.connected || subscriber.connection != asked.connection) return true;
    Disconnect(asked.subscriber);
    subscriber = {};
  }
  return true;
}

void StopwatchSim::CheckElapsed(const StopwatchListReply& reply) {
  for (const Stopwatch& row : reply.page.rows) {
    const int64_t elapsed = ElapsedMs(row.started_at, reply.now);
    if (elapsed < 0) Fail("S3: elapsed is negative");
    int64_t& before = elapsed_[{{row.tenant, row.name}, row.started_at}];
    if (elapsed < before) Fail("S3: elapsed runs backwards");
    before = elapsed;
  }
}

void StopwatchSim::TakePage(const Asked& asked, const StopwatchListReply& reply) {
  if (asked.subscriber < 0) return;
  Subscriber& subscriber = subscribers_[static_cast<size_t>(asked.subscriber)];
  // It may have gone and come again meanwhile, and waits for another.
  const bool awaited = subscriber.connected && subscriber.connection == asked.connection;
  if (!awaited) return;
  for (const Stopwatch& row : reply.page.rows) {
    subscriber.knows[{row.tenant, row.name}] = row.started_at;
  }
  if (reply.page.next && asked.query->rows_max > 0) {
    subscriber.paging->after = reply.page.next;
    return AskPage(asked.subscriber);
  }
  subscriber.ready = true;
  ++snapshots_;
}

void StopwatchSim::Settled(MonoMs) {
  for (int who = 0; who < kSubscribers; ++who) {
    TakeSome(who, 1000);
    const Subscriber& subscriber = subscribers_[static_cast<size_t>(who)];
    if (subscriber.connected && subscriber.ready) CheckKnows(subscriber);
  }
}

void StopwatchSim::CheckKnows(const Subscriber& subscriber) {
  const auto wanted = [&](const StopwatchModel::Rows& all) {
    StopwatchModel::Rows rows;
    for (const auto& [key, at] : all) {
      const auto& names = subscriber.wish.names;
      const bool named = std::find(names.begin(), names.end(), key.second) != names.end() &&
                         !subscriber.gave_up.contains(key.second);
      const bool own = subscriber.wish.own && key.first == subscriber.wish.tenant;
      if (named || own) rows.emplace(key, at);
    }
    return rows;
  };
  const StopwatchModel::Rows knows = wanted(subscriber.knows);
  const StopwatchModel::Rows is = wanted(model_.rows());
  if (knows != is) Fail("S4: a subscriber knows" + Text(knows) + " but there is" + Text(is));
}

}  // namespace belfry::sim
