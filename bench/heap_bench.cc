// The heap of deadlines, with 1,000 to 1,000,000 timers in it.

#include <benchmark/benchmark.h>

#include <random>

#include "base/time.h"
#include "scheduler/timer_heap.h"

namespace belfry {
namespace {

class Timers {
 public:
  TimerPtr Make(TimerId id) {
    auto timer = std::make_unique<Timer>();
    timer->id = id;
    timer->due = timer->next_attempt = {at_(random_)};
    timer->url = "http://127.0.0.1:9000/hook";
    return timer;
  }
  TimerId AnyOf(TimerId count) { return std::uniform_int_distribution<TimerId>(1, count)(random_); }

 private:
  std::mt19937_64 random_{1};
  std::uniform_int_distribution<int64_t> at_{0, 30 * kDayMs};
};

void FillHeap(TimerHeap* heap, Timers* timers, TimerId count) {
  for (TimerId id = 1; id <= count; ++id) heap->Insert(timers->Make(id));
}

// Fires the earliest and sets another: what a busy daemon does all day.
void PopAndInsert(benchmark::State& state) {
  Timers timers;
  TimerHeap heap;
  FillHeap(&heap, &timers, static_cast<TimerId>(state.range(0)));
  for (auto _ : state) {
    TimerPtr timer = heap.Pop();
    timer->next_attempt = timer->next_attempt + 30 * kDayMs;
    heap.Insert(std::move(timer));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(PopAndInsert)->RangeMultiplier(10)->Range(1'000, 1'000'000);

// Cancels one somewhere in the middle and puts it back.
void RemoveAndInsert(benchmark::State& state) {
  const auto count = static_cast<TimerId>(state.range(0));
  Timers timers;
  TimerHeap heap;
  FillHeap(&heap, &timers, count);
  for (auto _ : state) heap.Insert(heap.Remove(timers.AnyOf(count)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RemoveAndInsert)->RangeMultiplier(10)->Range(1'000, 1'000'000);

void Find(benchmark::State& state) {
  const auto count = static_cast<TimerId>(state.range(0));
  Timers timers;
  TimerHeap heap;
  FillHeap(&heap, &timers, count);
  for (auto _ : state) benchmark::DoNotOptimize(heap.Find(timers.AnyOf(count)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Find)->RangeMultiplier(10)->Range(1'000, 1'000'000);

// A full window gives up its latest quarter.
void DropLatestQuarter(benchmark::State& state) {
  const auto count = static_cast<TimerId>(state.range(0));
  Timers timers;
  for (auto _ : state) {
    state.PauseTiming();
    TimerHeap heap;
    FillHeap(&heap, &timers, count);
    state.ResumeTiming();
    benchmark::DoNotOptimize(heap.DropLatest(heap.bytes() / 4 * 3));
    state.PauseTiming();
    heap = TimerHeap();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) / 4);
}
BENCHMARK(DropLatestQuarter)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace belfry
