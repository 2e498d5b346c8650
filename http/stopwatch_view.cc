#include "http/stopwatch_view.h"

#include "base/rfc3339.h"
#include "http/json_writer.h"

namespace belfry {
namespace {

void AppendMember(std::string& out, std::string_view key, int64_t value) {
  AppendJsonString(out, key);
  out.append(":").append(std::to_string(value));
}

}  // namespace

void AppendOwnStopwatch(std::string& out, const Stopwatch& stopwatch, WallMs now) {
  AppendMember(out, stopwatch.name, ElapsedMs(stopwatch.started_at, now));
}

void AppendOwnersStopwatch(std::string& out, const Stopwatch& stopwatch, WallMs now,
                           const UserNameFn& user_name) {
  AppendMember(out, user_name(stopwatch.tenant), ElapsedMs(stopwatch.started_at, now));
}

void AppendStopwatch(std::string& out, const Stopwatch& stopwatch, const UserNameFn& user_name,
                     const WallMs* server_now) {
  JsonWriter json(out);
  json.Open('{');
  json.Key("user").String(user_name(stopwatch.tenant));
  json.Key("name").String(stopwatch.name);
  json.Key("started_at");
  if (stopwatch.started_at.ms == 0) {
    json.Null();
  } else {
    json.String(FormatRfc3339(stopwatch.started_at));
  }
  if (server_now != nullptr) json.Key("server_now").String(FormatRfc3339(*server_now));
  json.Close('}');
}

}  // namespace belfry
