// Records and keys as bytes: what every write and every page read costs before the disk.

#include <benchmark/benchmark.h>

#include "base/time.h"
#include "storage/keys.h"
#include "storage/record.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'790'000'000'000};

// What most timers are: a url and a time.
Timer SmallTimer() {
  Timer timer;
  timer.id = 123'456'789;
  timer.created_at = kNow;
  timer.due = timer.next_attempt = kNow + kHourMs;
  timer.url = "http://127.0.0.1:9000/hook";
  return timer;
}

// Headers, a body of 1 KiB, a policy of its own and five attempts behind it.
Timer LargeTimer() {
  Timer timer = SmallTimer();
  timer.state = TimerState::kRetrying;
  for (int i = 0; i < 8; ++i) timer.headers.emplace_back("X-Header-" + std::to_string(i), "value");
  timer.body.assign(1024, 'b');
  timer.retry = RetryPolicy{};
  timer.retry->schedule_ms = {5 * kSecondMs, kMinuteMs, kHourMs};
  timer.attempts = 5;
  for (int i = 0; i < 5; ++i) timer.history.push_back({kNow + i * kMinuteMs, 503, 12, ""});
  return timer;
}

Timer TimerOf(const benchmark::State& state) {
  return state.range(0) == 0 ? SmallTimer() : LargeTimer();
}

void Encode(benchmark::State& state) {
  const Timer timer = TimerOf(state);
  const ShortKey key = TimeKey(KeyOf(timer));
  std::string record;
  for (auto _ : state) {
    const Status status = EncodeTimer(key, timer, &record);
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
    benchmark::DoNotOptimize(record.data());
  }
  state.counters["record_bytes"] = static_cast<double>(record.size());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Encode)->ArgName("large")->Arg(0)->Arg(1);

void Decode(benchmark::State& state) {
  const Timer timer = TimerOf(state);
  const ShortKey key = TimeKey(KeyOf(timer));
  std::string record;
  if (const Status status = EncodeTimer(key, timer, &record); !status.ok()) {
    return state.SkipWithError(status.message().c_str());
  }
  for (auto _ : state) {
    Result<TimerPtr> decoded = DecodeTimer(key, record);
    if (!decoded.ok()) return state.SkipWithError(decoded.status().message().c_str());
    benchmark::DoNotOptimize(decoded->get());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Decode)->ArgName("large")->Arg(0)->Arg(1);

void MakeKeys(benchmark::State& state) {
  Key key{kNow, 1};
  for (auto _ : state) {
    ++key.id;
    ShortKey time_key = TimeKey(key);
    ShortKey id_key = IdKey(kLocalTenant, key.id);
    benchmark::DoNotOptimize(time_key);
    benchmark::DoNotOptimize(id_key);
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(MakeKeys);

void ParseKeys(benchmark::State& state) {
  const ShortKey time_key = TimeKey({kNow, 7});
  const ShortKey id_key = IdKey(kLocalTenant, 7);
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseTimeKey(time_key));
    benchmark::DoNotOptimize(ParseIdKey(id_key));
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(ParseKeys);

}  // namespace
}  // namespace belfry
