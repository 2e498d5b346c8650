#include "http/timer_json.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/limits.h"
#include "base/rfc3339.h"

// Counted, because how much is copied says more than how long it took.
static size_t allocated_bytes = 0;
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocated_bytes += size;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace belfry {
namespace {

constexpr WallMs kNow{1'795'248'000'000};  // 2026-11-21T08:00:00Z

// As far as these tests care: http:// and https:// are good.
Result<std::string> FakeNormalise(std::string_view url) {
  if (url.starts_with("http://") || url.starts_with("https://")) return std::string(url);
  return Invalid("must start with http:// or https://");
}

RetryPolicy DefaultRetry() {
  RetryPolicy retry;
  retry.max_attempts = 10;
  retry.schedule_ms = {5000, 300'000};
  retry.jitter = 0.2;
  return retry;
}

class TimerJson : public testing::Test {
 protected:
  std::variant<TimerPtr, BodyError> Read(std::string_view body) {
    // Only the padding lies behind the body, so that reading further is found by a sanitizer.
    const auto memory = std::make_unique<char[]>(body.size() + kBodyPaddingBytes);
    std::memcpy(memory.get(), body.data(), body.size());
    return reader_.Read({memory.get(), body.size()}, 7, kNow);
  }
  TimerPtr Good(std::string_view body) {
    auto read = Read(body);
    if (const auto* error = std::get_if<BodyError>(&read)) {
      ADD_FAILURE() << body << ": " << error->detail;
      return std::make_unique<Timer>();
    }
    return std::get<TimerPtr>(std::move(read));
  }
  // A timer with a url and a time, and `members` besides.
  TimerPtr With(std::string_view members) {
    return Good("{\"seconds\":1,\"url\":\"http://a\"," + std::string(members) + "}");
  }
  BodyError Bad(std::string_view body) {
    auto read = Read(body);
    if (auto* error = std::get_if<BodyError>(&read)) return *error;
    ADD_FAILURE() << "accepted: " << body;
    return {};
  }
  // The pointers of what is wrong, in order.
  std::string Pointers(std::string_view body) {
    std::string out;
    for (const FieldError& error : Bad(body).errors) out += "[" + error.pointer + "]";
    return out;
  }
  std::string PointersWith(std::string_view members) {
    return Pointers("{\"seconds\":1,\"url\":\"http://a\"," + std::string(members) + "}");
  }

  TimerReader reader_{FakeNormalise, DefaultRetry()};
};

TEST_F(TimerJson, TheExampleOfTheContract) {
  const TimerPtr timer =
      Good(R"({"hours": 4, "minutes": 0, "seconds": 1, "url": "https://someserver.com"})");
  EXPECT_EQ(timer->due - kNow, 4 * kHourMs + kSecondMs);
  EXPECT_EQ(timer->next_attempt, timer->due);
  EXPECT_EQ(timer->url, "https://someserver.com");
  EXPECT_EQ(timer->method, Method::kPost);
  EXPECT_EQ(timer->state, TimerState::kPending);
  EXPECT_EQ(timer->tenant, 7u);
  EXPECT_TRUE(timer->append_id);
  EXPECT_TRUE(timer->headers.empty());
  EXPECT_TRUE(timer->body.empty());
  EXPECT_EQ(timer->timeout_ms, 0);
  EXPECT_FALSE(timer->retry.has_value());
}

TEST_F(TimerJson, WaysToSayWhen) {
  const auto due_ms = [&](std::string_view when) {
    return Good("{\"url\":\"http://a\"," + std::string(when) + "}")->due - kNow;
  };
  EXPECT_EQ(due_ms(R"("seconds":0)"), 0);
  EXPECT_EQ(due_ms(R"("minutes":90)"), 90 * kMinuteMs);
  EXPECT_EQ(due_ms(R"("seconds":3600,"hours":1)"), 2 * kHourMs);
  EXPECT_EQ(due_ms(R"("delay":"1d12h")"), 36 * kHourMs);
  EXPECT_EQ(due_ms(R"("delay":"PT4H1.5S")"), 4 * kHourMs + 1500);
  EXPECT_EQ(due_ms(R"("delay":"250ms")"), 250);
  EXPECT_EQ(due_ms(R"("at":"2026-11-21T09:00:00Z")"), kHourMs);
  EXPECT_EQ(due_ms(R"("at":"2026-11-21T10:00:00.250+01:00")"), kHourMs + 250);
  EXPECT_EQ(due_ms(R"("at":"2001-01-01T00:00:00Z")"), 0) << "the past means now";
  EXPECT_EQ(due_ms(R"("at":"9999-12-31T23:59:59.999Z")"), kWallMax - kNow);
}

TEST_F(TimerJson, ExactlyOneWayToSayWhen) {
  EXPECT_EQ(Pointers(R"({"url":"http://a"})"), "[]");
  EXPECT_EQ(Pointers(R"({"url":"http://a","seconds":1,"delay":"1s"})"), "[/delay]");
  EXPECT_EQ(Pointers(R"({"url":"http://a","at":"2026-11-21T09:00:00Z","minutes":1})"),
            "[/minutes]");
  EXPECT_EQ(Pointers(R"({"url":"http://a","at":"2026-11-21T09:00:00Z","delay":"1s"})"), "[/delay]");
}

TEST_F(TimerJson, TimesThatAreNegativeTooLargeOrNoIntegers) {
  for (const std::string bad :
       {"-1", "1.5", "1.0", "1e3", "\"1\"", "true", "null", "[1]", "{}", "9223372036854775807",
        "18446744073709551615", "253402300800", "-9223372036854775808", "99999999999999999999",
        "-99999999999999999999", "1e309", "-1e309", "123456789012345678901234567890"}) {
    EXPECT_EQ(Pointers("{\"url\":\"http://a\",\"seconds\":" + bad + "}"), "[/seconds]") << bad;
    EXPECT_EQ(Pointers("{\"url\":\"http://a\",\"hours\":" + bad + "}"), "[/hours]") << bad;
    EXPECT_EQ(Pointers("{\"url\":\"http://a\",\"minutes\":" + bad + "}"), "[/minutes]") << bad;
  }
  // Each is in range, the sum is not.
  EXPECT_EQ(Pointers(R"({"url":"http://a","hours":70000000,"seconds":252000000000})"),
            "[/seconds]");
  EXPECT_EQ(Pointers(R"({"url":"http://a","seconds":251607052800})"), "[/seconds]");
  EXPECT_EQ(Good(R"({"url":"http://a","seconds":251607052799})")->due.ms, kWallMax.ms - 999);
  for (const std::string bad : {"\"\"", "\"1\"", "\"1x\"", "\"-1s\"", "\"P1Y\"", "\"P1M\"", "1",
                                "null", "\"99999999999w\"", "\"1s \"", "\"PT0.0001S\""}) {
    EXPECT_EQ(Pointers("{\"url\":\"http://a\",\"delay\":" + bad + "}"), "[/delay]") << bad;
  }
  for (const std::string bad :
       {"\"\"", "\"2026-11-21T09:00:00\"", "\"2026-11-21\"", "\"2026-02-30T00:00:00Z\"", "1",
        "\"10000-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59-01:00\""}) {
    EXPECT_EQ(Pointers("{\"url\":\"http://a\",\"at\":" + bad + "}"), "[/at]") << bad;
  }
}

TEST_F(TimerJson, TheUrlIsNeededAndNormalised) {
  EXPECT_EQ(Pointers(R"({"seconds":1})"), "[/url]");
  for (const std::string bad :
       {"\"\"", "\"someserver.com\"", "\"ftp://a\"", "1", "null", "[\"http://a\"]",
        "\"http://a b\"", "\"http://a\\u0000\"", "\"http://a\\r\\nX: y\"", "\"http://a\\u007f\""}) {
    EXPECT_EQ(Pointers("{\"seconds\":1,\"url\":" + bad + "}"), "[/url]") << bad;
  }
  const std::string longest = "http://" + std::string(kUrlBytesMax - 7, 'a');
  EXPECT_EQ(Good("{\"seconds\":1,\"url\":\"" + longest + "\"}")->url, longest);
  EXPECT_EQ(Pointers("{\"seconds\":1,\"url\":\"" + longest + "a\"}"), "[/url]");
  EXPECT_EQ(Bad(R"({"seconds":1,"url":"ftp://a"})").detail,
            "/url must start with http:// or https://");
}

TEST_F(TimerJson, TheOtherMembers) {
  const TimerPtr timer = With(
      R"("method":"PATCH","headers":{"X-Key":" v ","Content-Type":"text/plain"},"body":"h\u00e4",)"
      R"("append_id":false,"timeout":"2s500ms")");
  EXPECT_EQ(timer->method, Method::kPatch);
  EXPECT_EQ(timer->headers, (std::vector<std::pair<std::string, std::string>>{
                                {"X-Key", "v"}, {"Content-Type", "text/plain"}}));
  EXPECT_EQ(timer->body, "h\xc3\xa4");
  EXPECT_FALSE(timer->append_id);
  EXPECT_EQ(timer->timeout_ms, 2500);
  EXPECT_EQ(PointersWith(R"("method":"HEAD")"), "[/method]");
  EXPECT_EQ(PointersWith(R"("method":"post")"), "[/method]");
  EXPECT_EQ(PointersWith(R"("append_id":1)"), "[/append_id]");
  EXPECT_EQ(PointersWith(R"("body":{})"), "[/body]");
  EXPECT_EQ(PointersWith(R"("timeout":"61s")"), "[/timeout]");
  EXPECT_EQ(PointersWith(R"("timeout":"99ms")"), "[/timeout]");
  EXPECT_EQ(PointersWith(R"("timeout":5)"), "[/timeout]");
}

TEST_F(TimerJson, JsonIsKeptAsItWasWritten) {
  const auto body_of = [&](std::string_view json) {
    return With("\"json\": " + std::string(json) + " ")->body;
  };
  for (const std::string json :
       {"{\"b\": 1.50, \"a\" : [1e2,-0, \"\\u00e4\\n\"]}", "[]", "{}", "[ 1 , 2 ]", "\"text\"",
        "true", "null", "12.5000", "-7", "18446744073709551615", "18446744073709551616", "-1e400",
        "[123456789012345678901234567890, {\"\\\"1e400\": 2.5E+99999}, -9223372036854775809]"}) {
    EXPECT_EQ(body_of(json), json);
  }
  EXPECT_EQ(Good(R"({"\u006ason":[1],"seconds":1,"url":"http://a"})")->body, "[1]");
  const auto headers = With(R"("json":{})")->headers;
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].first, "Content-Type");
  EXPECT_EQ(headers[0].second, "application/json");
  const auto own = With(R"("json":{},"headers":{"content-type":"application/x+json"})")->headers;
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].second, "application/x+json");
  EXPECT_EQ(PointersWith(R"("json":1,"body":"x")"), "[/json]");
  EXPECT_EQ(PointersWith(R"("json":{"a":{"b/c":1,"b/c":2}})"), "[/json/a/b~1c]");
}

TEST_F(TimerJson, HeadersThatCouldBreakTheRequestAreRefused) {
  for (const std::string name : {"Host", "content-length", "Transfer-Encoding", "Connection",
                                 "webhook-id", "Webhook-Signature", "user-agent", "Expect", "TE",
                                 "Proxy-Authorization", "keep-alive", "Upgrade", "Trailer"}) {
    EXPECT_EQ(PointersWith("\"headers\":{\"" + name + "\":\"x\"}"), "[/headers/" + name + "]");
  }
  EXPECT_EQ(PointersWith(R"("headers":{"a b":"x"})"), "[/headers/a b]");
  EXPECT_EQ(PointersWith(R"("headers":{"":"x"})"), "[/headers/]");
  EXPECT_EQ(PointersWith(R"("headers":{"a:":"x"})"), "[/headers/a:]");
  EXPECT_EQ(PointersWith(R"("headers":{"\u00e4":"x"})"), "[/headers/\xc3\xa4]");
  EXPECT_EQ(PointersWith(R"("headers":{"a\r\nb":"x"})"), "[/headers/a\r\nb]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":"x\r\nHost: b"})"), "[/headers/a]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":"x\ny"})"), "[/headers/a]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":"x\u0000"})"), "[/headers/a]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":1})"), "[/headers/a]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":"1","A":"2"})"), "[/headers/A]");
  EXPECT_EQ(PointersWith(R"("headers":[])"), "[/headers]");
  EXPECT_EQ(With(R"("headers":{"a":"","b":"\t\u00e4 x"})")->headers.size(), 2u);
}

TEST_F(TimerJson, HeadersAreBounded) {
  const auto many = [](size_t count, const std::string& value) {
    std::string out = "\"headers\":{";
    for (size_t i = 0; i < count; ++i) {
      out += (i == 0 ? "\"h" : ",\"h") + std::to_string(i) + "\":\"" + value + "\"";
    }
    return out + "}";
  };
  EXPECT_EQ(With(many(kHeadersMax, "v"))->headers.size(), kHeadersMax);
  EXPECT_EQ(PointersWith(many(kHeadersMax + 1, "v")), "[/headers]");
  EXPECT_EQ(PointersWith(many(kHeadersMax, "v") + ",\"json\":1"), "[/headers]");
  EXPECT_EQ(PointersWith(many(1, std::string(kHeaderBytesMax, 'v'))), "[/headers]");
}

TEST_F(TimerJson, Retry) {
  const auto retry = [&](std::string_view members) {
    return With("\"retry\":{" + std::string(members) + "}")->retry;
  };
  EXPECT_EQ(retry(""), std::nullopt);
  RetryPolicy wanted = DefaultRetry();
  wanted.max_attempts = 3;
  EXPECT_EQ(retry(R"("max_attempts":3)"), wanted);
  wanted = DefaultRetry();
  wanted.schedule_ms = {0, 1000, 60'000};
  wanted.jitter = 1;
  EXPECT_EQ(retry(R"("schedule":["0s","1s","PT1M"],"jitter":1)"), wanted);
  wanted = DefaultRetry();
  wanted.schedule_ms.clear();
  wanted.min_ms = 1000;
  wanted.max_ms = 60'000;
  wanted.factor = 1.5;
  wanted.jitter = 0;
  EXPECT_EQ(retry(R"("min":"1s","max":"1m","factor":1.5,"jitter":0.0)"), wanted);
  EXPECT_EQ(retry(R"("factor":3)")->min_ms, 5 * kSecondMs);
  EXPECT_EQ(retry(R"("factor":3)")->max_ms, kDayMs);

  for (const auto& [members, pointer] :
       std::vector<std::pair<std::string, std::string>>{{R"("max_attempts":0)", "/max_attempts"},
                                                        {R"("max_attempts":51)", "/max_attempts"},
                                                        {R"("max_attempts":2.0)", "/max_attempts"},
                                                        {R"("schedule":[])", "/schedule"},
                                                        {R"("schedule":"1s")", "/schedule"},
                                                        {R"("schedule":["1s",2])", "/schedule/1"},
                                                        {R"("schedule":["8d"])", "/schedule/0"},
                                                        {R"("schedule":["1s"],"min":"1s")", ""},
                                                        {R"("min":"2m","max":"1m")", "/min"},
                                                        {R"("min":"0s")", "/min"},
                                                        {R"("max":"2d","min":"3d")", "/min"},
                                                        {R"("factor":0.5)", "/factor"},
                                                        {R"("factor":101)", "/factor"},
                                                        {R"("jitter":1.1)", "/jitter"},
                                                        {R"("jitter":-0.1)", "/jitter"},
                                                        {R"("jitter":"0.1")", "/jitter"},
                                                        {R"("factor":1e400)", "/factor"},
                                                        {R"("jitter":-1e400)", "/jitter"},
                                                        {R"("attempts":1)", "/attempts"}}) {
    EXPECT_EQ(PointersWith("\"retry\":{" + members + "}"), "[/retry" + pointer + "]") << members;
  }
  EXPECT_EQ(PointersWith("\"retry\":3"), "[/retry]");
}

TEST_F(TimerJson, Lateness) {
  TimerPtr timer = With(R"("max_lateness":"1h30m")");
  EXPECT_EQ(timer->max_lateness_ms, 90 * kMinuteMs);
  EXPECT_EQ(timer->on_late, OnLate::kFire);
  timer = With(R"("on_late":"drop","max_lateness":"1ms")");
  EXPECT_EQ(timer->max_lateness_ms, 1);
  EXPECT_EQ(timer->on_late, OnLate::kDrop);
  EXPECT_EQ(With(R"("max_lateness":"3660d","on_late":"deadletter")")->on_late, OnLate::kDeadLetter);
  EXPECT_EQ(With(R"("max_lateness":"1s","on_late":"fire")")->on_late, OnLate::kFire);
  for (const std::string bad : {"\"0s\"", "\"3661d\"", "60", "null", "\"-1s\"", "\"soon\""}) {
    EXPECT_EQ(PointersWith("\"on_late\":\"drop\",\"max_lateness\":" + bad), "[/max_lateness]");
  }
  for (const std::string bad : {"\"dead\"", "\"Drop\"", "1", "null", "{}"}) {
    EXPECT_EQ(PointersWith("\"max_lateness\":\"1s\",\"on_late\":" + bad), "[/on_late]") << bad;
  }
  EXPECT_EQ(PointersWith(R"("on_late":"drop")"), "[/on_late]") << "later than what?";
  EXPECT_EQ(PointersWith(R"("on_late":"fire")"), "[/on_late]");
}

TEST_F(TimerJson, Callbacks) {
  TimerPtr timer = With(R"("on_failure":{"url":"http://f/?x=1"},"on_success":{"url":"https://s"})");
  EXPECT_EQ(CallbackUrl(*timer, CallbackOn::kFailure), "http://f/?x=1");
  EXPECT_EQ(CallbackUrl(*timer, CallbackOn::kSuccess), "https://s");
  timer = With(R"("on_success":{"url":"https://s"})");
  EXPECT_EQ(timer->callbacks.size(), 1u);
  EXPECT_TRUE(With(R"("method":"PUT")")->callbacks.empty());
  for (const std::string name : {"on_success", "on_failure"}) {
    const std::string longest = "http://" + std::string(kUrlBytesMax - 7, 'a');
    EXPECT_EQ(With("\"" + name + "\":{\"url\":\"" + longest + "\"}")->callbacks[0].url, longest);
    for (const auto& [bad, pointer] : std::vector<std::pair<std::string, std::string>>{
             {"\"http://a\"", ""},
             {"null", ""},
             {"[]", ""},
             {"{}", "/url"},
             {R"({"url":"ftp://a"})", "/url"},
             {R"({"url":"http://a b"})", "/url"},
             {R"({"url":1})", "/url"},
             {R"({"url":null})", "/url"},
             {"{\"url\":\"" + longest + "a\"}", "/url"},
             {R"({"url":"http://a","method":"PUT"})", "/method"},
             {R"({"url":"http://a","on_failure":{}})", "/on_failure"}}) {
      EXPECT_EQ(PointersWith("\"" + name + "\":" + bad), "[/" + name + pointer + "]") << bad;
    }
    EXPECT_EQ(PointersWith("\"" + name + "\":{\"uri\":\"http://a\"}"),
              "[/" + name + "/uri][/" + name + "/url]");
  }
}

// What later versions will take is refused today, never ignored.
TEST_F(TimerJson, UnknownMembersAreErrors) {
  for (const std::string name :
       {"labels", "key", "key_mode", "repeat", "at_local", "timezone", "debounce", "Seconds",
        "second", "id", "state", "On_late", "on_cancel", ""}) {
    EXPECT_EQ(PointersWith("\"" + name + "\":1"), "[/" + name + "]");
  }
  EXPECT_EQ(PointersWith(R"("a/b~c":1)"), "[/a~1b~0c]");
}

TEST_F(TimerJson, EveryFaultIsNamedUpToABound) {
  EXPECT_EQ(Pointers(R"({"seconds":"x","url":1,"method":2,"typo":3})"),
            "[/seconds][/url][/method][/typo]");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"x" + std::to_string(i) + "\":1,";
  EXPECT_EQ(Bad(many + "\"seconds\":1}").errors.size(), kFieldErrorsMax);
}

TEST_F(TimerJson, RepeatedKeysAreErrors) {
  EXPECT_EQ(Pointers(R"({"seconds":1,"url":"http://a","seconds":1})"), "[/seconds]");
  EXPECT_EQ(Pointers(R"({"seconds":1,"url":"http://a","s\u0065conds":2})"), "[/seconds]");
  EXPECT_EQ(PointersWith(R"("json":[{"a":1},{"a":1,"b":2,"a":1}])"), "[/json/1/a]");
  EXPECT_EQ(PointersWith(R"("headers":{"a":"1","a":"1"})"), "[/headers/a]");
}

TEST_F(TimerJson, ALongKeyIsNotCopiedForEachContainerBelowIt) {
  std::string deep;
  for (int i = 0; i < 40'000; ++i) deep += "[],";
  const std::string key(130'000, 'k');
  const size_t before = allocated_bytes;
  const TimerPtr timer = With("\"json\":{\"" + key + "\":[" + deep + "[]]}");
  EXPECT_LT(allocated_bytes - before, 100 * kRequestBodyBytesMax);
  EXPECT_EQ(timer->body.size(), key.size() + deep.size() + 9);
  EXPECT_EQ(PointersWith("\"json\":{\"" + key + "\":[" + deep + "{\"a\":1,\"a\":2}]}"),
            "[/json/" + std::string(kEchoedBytesMax, 'k') + ".../40000/a]");
}

TEST_F(TimerJson, WhatIsToldAgainOfALongKeyIsShort) {
  const std::string start(kEchoedBytesMax - 1, 'k');
  EXPECT_EQ(PointersWith("\"" + start + "k\":1"), "[/" + start + "k]");
  EXPECT_EQ(PointersWith("\"" + start + "kk\":1"), "[/" + start + "k...]");
  EXPECT_EQ(PointersWith("\"" + start + "\xc3\xa4\":1"), "[/" + start + "...]");
  EXPECT_EQ(PointersWith("\"" + start + "\xf0\x9f\x98\x80\":1"), "[/" + start + "...]");
  EXPECT_EQ(PointersWith("\"headers\":{\"" + start + " and more\":\"x\"}"),
            "[/headers/" + start + " ...]");
  const BodyError error = Bad("{\"" + std::string(100'000, '~') + "\":1}");
  EXPECT_LT(error.detail.size(), 3 * kEchoedBytesMax);
  const BodyError reserved =
      Bad("{\"headers\":{\"webhook-" + std::string(100'000, 'x') + "\":\"\"}}");
  EXPECT_LT(reserved.detail.size(), 3 * kEchoedBytesMax);
}

TEST_F(TimerJson, WhatIsNotJsonIsInvalidAsAWhole) {
  const std::string good = R"({"seconds":1,"url":"http://a"})";
  using std::string_literals::operator""s;
  for (const std::string& bad : {" "s,
                                 "{"s,
                                 "nul"s,
                                 "{]"s,
                                 good + "x",
                                 good + good,
                                 good + ",",
                                 good + "\0"s,
                                 "\xef\xbb\xbf" + good,
                                 "{'seconds':1}"s,
                                 R"({"seconds":1,})"s,
                                 R"({"seconds":01})"s,
                                 R"({"seconds":NaN})"s,
                                 R"({"seconds":+1})"s,
                                 R"({"seconds":0123456789012345678901234567890})"s,
                                 R"({"seconds":01e400})"s,
                                 R"({"seconds":1.e400})"s,
                                 R"({"seconds":1e400e})"s,
                                 R"({"seconds":1e400)"s,
                                 R"({"seconds":1e400,"x":1.})"s,
                                 R"({"url":"\ud800"})"s,
                                 "{\"url\":\"\xff\"}"s,
                                 "{\"url\":\"\xc0\xaf\"}"s,
                                 "{\"url\":\"\xed\xa0\x80\"}"s,
                                 "{\"url\":\"a\nb\"}"s,
                                 "{\"url\":\"\\x\"}"s,
                                 "{\"url\":\"abc}"s,
                                 "// c\n" + good,
                                 "\0"s,
                                 R"({"a" 1})"s,
                                 R"({1:2})"s}) {
    const BodyError error = Bad(bad);
    EXPECT_EQ(error.kind, ProblemKind::kInvalidJson) << bad;
    EXPECT_FALSE(error.detail.empty());
  }
  for (const std::string bad : {"[]", "1", "\"x\"", "null", "true", "[{}]"}) {
    EXPECT_EQ(Bad(bad).kind, ProblemKind::kInvalidBody) << bad;
    EXPECT_EQ(Pointers(bad), "[]") << bad;
  }
  EXPECT_EQ(Pointers(""), "[][/url]");
}

TEST_F(TimerJson, DepthIsBounded) {
  const auto nested = [](int depth) {
    // The body itself is one level.
    return "\"json\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']');
  };
  EXPECT_EQ(With(nested(kJsonDepthMax))->body.size(), size_t{2 * (kJsonDepthMax - 1)});
  const BodyError error =
      Bad("{\"seconds\":1,\"url\":\"http://a\"," + nested(kJsonDepthMax + 1) + "}");
  EXPECT_EQ(error.detail, "the JSON is nested too deeply");
  EXPECT_EQ(Bad(std::string(200'000, '[')).kind, ProblemKind::kInvalidJson);
}

TEST_F(TimerJson, HugeBodiesAreReadInLinearTime) {
  std::string many = "{";
  for (int i = 0; many.size() < kRequestBodyBytesMax - 20; ++i) {
    many += "\"" + std::to_string(i) + "\":1,";
  }
  many += "\"z\":1}";
  EXPECT_EQ(Bad(many).errors.size(), kFieldErrorsMax);
  const std::string text(kRequestBodyBytesMax - 60, 'x');
  EXPECT_EQ(With("\"body\":\"" + text + "\"")->body.size(), text.size());
}

TEST_F(TimerJson, EveryTruncationIsAnError) {
  const std::string good =
      R"({"seconds":1,"url":"http://a","headers":{"a":"b"},"json":[1,{"x":"\u00e4"}]})";
  Good(good);
  for (size_t length = 1; length < good.size(); ++length) Bad(good.substr(0, length));
}

}  // namespace
}  // namespace belfry
