// stopwatch_routes.h - /api/stopwatch: how long since.
//
// Loop thread only. Registered once; outlives the router.
//
//   POST   /api/stopwatch {"name":"tea"}   starts it, or starts it again: 201 or 200
//                                          {"name":"tea","elapsed":0}, once it is durable
//   GET    /api/stopwatch                  {"tea":1234,"run":99}: the caller's, elapsed ms
//   GET    /api/stopwatch/tea              {"alice":1234,"bob":77}: everybody's of that name, if
//                                          the caller has one; else 403, whether others have or not
//   DELETE /api/stopwatch/tea              204, also when there was none
//   GET    /api/stopwatch/events?name=tea  see event_streams.h; `name` up to kFeedNamesMax times,
//                                          `own=true`: all of the caller's. Without parameters it
//                                          is the stopwatch of that name
//
// Names as in name.h, percent-encoded in paths.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "base/clock.h"
#include "http/event_streams.h"
#include "http/problem.h"
#include "http/reply_table.h"
#include "http/router.h"
#include "http/stopwatch_lists.h"
#include "scheduler/stopwatches.h"

namespace belfry {

class JsonBody;

class StopwatchRoutes {
 public:
  // All of these outlive this.
  StopwatchRoutes(Stopwatches& stopwatches, ReplyTable& replies, const Clock& clock,
                  StopwatchLists& lists, EventStreams& events);
  ~StopwatchRoutes();

  void Register(Router& router);

 private:
  void Start(const Call& call);
  void List(const Call& call, std::string_view segment);
  void Delete(const Call& call, std::string_view segment);
  void Events(const Call& call);
  [[nodiscard]] std::variant<std::string, BodyError> NameInBody(std::string_view body);

  Stopwatches& stopwatches_;
  ReplyTable& replies_;
  const Clock& clock_;
  StopwatchLists& lists_;
  EventStreams& events_;
  const std::unique_ptr<JsonBody> json_;
};

}  // namespace belfry
