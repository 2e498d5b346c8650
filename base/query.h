// query.h - reads that decide nothing. They run on any thread, under one snapshot; the scheduler
// overlays what is in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/index_in.h"
#include "base/stopwatch.h"
#include "base/stream.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

struct TimerFilter {
  std::optional<TimerState> state;   // kFiring allowed
  std::optional<WallMs> due_after;   // exclusive
  std::optional<WallMs> due_before;  // exclusive
  [[nodiscard]] bool NeedsScan() const { return due_after || due_before; }
};

struct FindQuery {
  TenantId tenant = 0;
  TimerId id = 0;
  bool full = false;
};

struct ListQuery {
  TenantId tenant = 0;
  TimerId after = 0;
  int limit = 0;
  TimerFilter filter;
};

struct CountQuery {
  TenantId tenant = 0;
  TimerFilter filter;
};

// `now` tells what has lapsed.
struct UserQuery {
  TenantId tenant = 0;
  std::string user;
  WallMs now;
};

struct UsersQuery {
  TenantId tenant = 0;
  std::string after;  // exclusive
  int limit = 0;
  WallMs now;
};

struct Query {
  ReplyToken token = 0;
  std::variant<FindQuery, ListQuery, CountQuery, StopwatchQuery, UserQuery, UsersQuery> what;
  // Sorted ids with an attempt under way when the query was asked: the overlay for states. Null:
  // none.
  std::shared_ptr<const std::vector<TimerId>> firing;
  // Set on any thread: a long read ends with kUnavailable. Null: nobody stops it. Outlives the
  // read.
  const std::atomic<bool>* stop = nullptr;
};

// `index()` of the query's variant comes back as `kind`, so that an answer names its query.
template <typename T>
constexpr size_t kQueryKind = IndexIn<T, decltype(Query::what)>::value;

// One timer as a read sees it. `timer` is null for the short view.
struct TimerView {
  TimerId id = 0;
  TimerState state = TimerState::kPending;
  WallMs due;
  TimerPtr timer;
};

struct TimerPage {
  std::vector<TimerView> timers;      // by id
  std::optional<TimerId> next_after;  // set when there may be more
};

struct QueryResult {
  QueryResult() = default;
  explicit QueryResult(const Query& query) : token(query.token), kind(query.what.index()) {
    const auto* find = std::get_if<FindQuery>(&query.what);
    if (find != nullptr) asked = *find;
  }

  ReplyToken token = 0;
  size_t kind = 0;
  std::optional<FindQuery> asked;
  Status status;  // not ok: the read failed, nothing else is set
  // nullopt: no such timer, no such user. uint64_t: a count.
  std::variant<std::optional<TimerView>, TimerPage, uint64_t, StopwatchPage,
               std::optional<UserView>, UserPage>
      what;
};

}  // namespace belfry
