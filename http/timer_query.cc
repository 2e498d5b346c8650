#include "http/timer_query.h"

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "base/rfc3339.h"
#include "http/ascii.h"

namespace belfry {
namespace {

std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return value;
}

// A string of RFC 8941: between quotes, with `\"` and `\\`.
std::optional<std::string> Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '"' && text[i] != '\\')) return std::nullopt;
    }
    out += text[i];
  }
  return out;
}

Status ReadTime(const QueryParams& query, std::string_view name, std::optional<WallMs>& time) {
  const auto text = query.Get(name);
  if (!text) return {};
  time = ParseRfc3339(*text);
  if (time) return {};
  return Invalid("`" + std::string(name) +
                 "` must be a time such as `2026-11-21T08:00:00.000Z`, with an offset");
}

}  // namespace

std::optional<TimerId> ParseTimerId(std::string_view text) {
  const auto id = ParseUnsigned(text);
  return id && *id > 0 ? id : std::nullopt;
}

Result<TimerFilter> ParseFilter(const QueryParams& query) {
  TimerFilter filter;
  if (const auto state = query.Get("state")) {
    filter.state = StateFromName(*state);
    if (!filter.state) {
      return Invalid("`state` must be pending, firing, retrying, delivered, dead or cancelled");
    }
  }
  if (Status s = ReadTime(query, "due_after", filter.due_after); !s.ok()) return s;
  if (Status s = ReadTime(query, "due_before", filter.due_before); !s.ok()) return s;
  return filter;
}

Result<int> ParsePageLimit(const QueryParams& query) {
  const auto text = query.Get("limit");
  if (!text) return kPageDefault;
  const auto limit = ParseUnsigned(*text);
  if (limit && *limit >= 1 && *limit <= kPageMax) return static_cast<int>(*limit);
  return Invalid("`limit` must be from 1 to " + std::to_string(kPageMax));
}

Result<ListQuery> ParseList(const QueryParams& query, TenantId tenant) {
  Result<TimerFilter> filter = ParseFilter(query);
  if (!filter.ok()) return filter.status();
  ListQuery list;
  list.tenant = tenant;
  list.filter = *filter;
  const Result<int> limit = ParsePageLimit(query);
  if (!limit.ok()) return limit.status();
  list.limit = *limit;
  if (const auto text = query.Get("after")) {
    const auto after = ParseUnsigned(*text);
    if (!after) return Invalid("`after` must be the id of a timer");
    list.after = *after;
  }
  return list;
}

Result<ReplayQuery> ParseReplay(const QueryParams& query, TenantId tenant) {
  ReplayQuery replay;
  replay.range.tenant = tenant;
  if (Status s = ReadTime(query, "due_after", replay.range.due_after); !s.ok()) return s;
  if (Status s = ReadTime(query, "due_before", replay.range.due_before); !s.ok()) return s;
  if (const auto dry_run = query.Get("dry_run")) {
    if (*dry_run != "true" && *dry_run != "false") {
      return Invalid("`dry_run` must be `true` or `false`");
    }
    replay.dry_run = *dry_run == "true";
  }
  return replay;
}

Result<std::string> IdempotencyKey(const Request& request) {
  const HeaderHit header = FindHeader(request, "idempotency-key");
  if (header.count == 0) return std::string();
  if (header.count > 1) return Invalid("there are two Idempotency-Key headers");
  std::optional<std::string> key;
  if (header.value.starts_with('"')) {
    key = Unquote(header.value);
  } else {
    key = std::string(header.value);
  }
  const auto printable = [](char c) { return c == ' ' || IsAsciiVisible(c); };
  if (!key || key->empty() || key->size() > kIdempotencyKeyBytesMax ||
      !std::all_of(key->begin(), key->end(), printable)) {
    return Invalid("Idempotency-Key must be 1 to " + std::to_string(kIdempotencyKeyBytesMax) +
                   " printable characters, quoted or bare");
  }
  return *key;
}

}  // namespace belfry
