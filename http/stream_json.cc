#include "http/stream_json.h"

#include <algorithm>
#include <utility>

#include "base/duration.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/rfc3339.h"
#include "http/field_errors.h"
#include "http/json_body.h"
#include "http/json_writer.h"
#include "http/name.h"

namespace belfry {
namespace {

using simdjson::dom::element;

size_t CodePoints(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

void ReadContent(element value, StreamStart* start, FieldErrors* errors) {
  const auto text = errors->String("/content", value);
  if (!text) return;
  if (text->empty() || CodePoints(*text) > kStreamContentCodePointsMax) {
    return errors->Add("/content", "must be 1 to " + std::to_string(kStreamContentCodePointsMax) +
                                       " characters long");
  }
  start->content = *text;
}

void ReadTtl(element value, StreamStart* start, FieldErrors* errors) {
  const auto text = errors->String("/ttl", value);
  if (!text) return;
  const auto ttl_ms = ParseDuration(*text);
  if (!ttl_ms) {
    errors->Add("/ttl", "must be a duration such as `90s`, `4h1s` or `PT4H1S`");
  } else if (*ttl_ms < kStreamTtlMsMin || *ttl_ms > kStreamTtlMsMax) {
    errors->Add("/ttl", "must be from " + FormatDuration(kStreamTtlMsMin) + " to " +
                            FormatDuration(kStreamTtlMsMax));
  } else {
    start->ttl_ms = *ttl_ms;
  }
}

void ReadOnExpire(element value, const NormaliseUrlFn& normalise_url, StreamStart* start,
                  FieldErrors* errors) {
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) {
    return errors->Add("/on_expire", "must be an object with `url`");
  }
  bool has_url = false;
  for (const auto [key, member] : members) {
    if (key != "url") {
      errors->Add(PointerTo("/on_expire", key), "is not a known member");
      continue;
    }
    has_url = true;
    const auto text = errors->String("/on_expire/url", member);
    if (!text) continue;
    Result<std::string> url = CheckUrl(*text, normalise_url);
    if (url.ok()) {
      start->on_expire = std::move(*url);
    } else {
      errors->Add("/on_expire/url", url.status().message());
    }
  }
  if (!has_url) errors->Add("/on_expire/url", "is missing");
}

void ReadPolicy(element value, StreamStart* start, FieldErrors* errors) {
  const auto text = errors->String("/policy", value);
  if (!text) return;
  start->evict_oldest = *text == "evict_oldest";
  if (!start->evict_oldest && *text != "reject") {
    errors->Add("/policy", "must be `reject` or `evict_oldest`");
  }
}

void ReadLimit(element value, UserWish* wish, FieldErrors* errors) {
  int64_t limit = 0;
  if (value.get(limit) == simdjson::SUCCESS && limit >= 1 && limit <= kStreamLimitMax) {
    wish->limit = static_cast<uint32_t>(limit);
  } else {
    errors->Add("/limit", "must be an integer from 1 to " + std::to_string(kStreamLimitMax));
  }
}

}  // namespace

StreamReader::StreamReader(NormaliseUrlFn normalise_url, int64_t default_ttl_ms)
    : normalise_url_(std::move(normalise_url)),
      default_ttl_ms_(default_ttl_ms),
      json_(std::make_unique<JsonBody>()) {}

StreamReader::~StreamReader() = default;

std::variant<UserWish, BodyError> StreamReader::ReadUser(std::string_view body) {
  UserWish wish;
  FieldErrors errors;
  if (!body.empty()) {
    auto parsed = json_->Parse(body);
    if (auto* error = std::get_if<BodyError>(&parsed)) return std::move(*error);
    for (const auto [key, value] : std::get<simdjson::dom::object>(parsed)) {
      if (key == "limit") {
        ReadLimit(value, &wish, &errors);
      } else if (key != "userId") {
        errors.Add(PointerTo("", key), "is not a known member");
      } else if (const auto text = errors.String("/userId", value)) {
        wish.user = *text;
        if (!IsName(*text)) errors.Add("/userId", std::string(kNameRule));
      }
    }
  }
  if (wish.user.empty() && !errors.any()) errors.Add("/userId", "is missing");
  if (errors.any()) return errors.Take();
  return wish;
}

std::variant<StreamStart, BodyError> StreamReader::ReadStart(std::string_view body) {
  StreamStart start;
  start.ttl_ms = default_ttl_ms_;
  if (body.empty()) return start;
  auto parsed = json_->Parse(body);
  if (auto* error = std::get_if<BodyError>(&parsed)) return std::move(*error);
  FieldErrors errors;
  for (const auto [key, value] : std::get<simdjson::dom::object>(parsed)) {
    if (key == "content") {
      ReadContent(value, &start, &errors);
    } else if (key == "ttl") {
      ReadTtl(value, &start, &errors);
    } else if (key == "on_expire") {
      ReadOnExpire(value, normalise_url_, &start, &errors);
    } else if (key == "policy") {
      ReadPolicy(value, &start, &errors);
    } else {
      errors.Add(PointerTo("", key), "is not a known member");
    }
  }
  if (errors.any()) return errors.Take();
  return start;
}

void AppendUser(std::string& out, const UserView& user, uint32_t default_limit) {
  JsonWriter json(out);
  json.Open('{');
  json.Key("userId").String(user.user);
  json.Key("limit").Uint(user.limit.value_or(default_limit));
  json.Key("active").Uint(user.streams.size());
  json.Key("watching").Open('[');
  for (const StreamView& stream : user.streams) {
    if (!stream.content.empty()) json.String(stream.content);
  }
  json.Close(']');
  const bool offline = user.streams.empty() && user.last_online.ms != 0;
  json.Key("lastOnline");
  offline ? json.String(FormatRfc3339(user.last_online)) : json.Null();
  json.Close('}');
}

void AppendStreams(std::string& out, const std::vector<StreamView>& streams) {
  JsonWriter json(out);
  json.Open('[');
  for (const StreamView& stream : streams) {
    json.Open('{');
    json.Key("streamId").String(FormatUuid(stream.id));
    json.Key("content");
    stream.content.empty() ? json.Null() : json.String(stream.content);
    json.Key("startedAt").String(FormatRfc3339(stream.started_at));
    json.Key("expiresAt").String(FormatRfc3339(stream.expires_at));
    json.Close('}');
  }
  json.Close(']');
}

}  // namespace belfry
