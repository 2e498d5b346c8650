#include "bench/sink.h"

#include <cstdio>

#include "bench/progress.h"
#include "bench/receiver.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 200;

}  // namespace

Result<uint64_t> RunSink(const Endpoint& endpoint) {
  EventLoop loop;
  uint64_t received = 0;
  const auto count = [&received](std::string_view, int64_t) { ++received; };
  Result<std::unique_ptr<Receiver>> receiver = Receiver::Listen(loop, endpoint, count);
  if (!receiver.ok()) return receiver.status();
  std::fprintf(stderr, "listening on %s\n", (*receiver)->address().c_str());

  Progress progress;
  uint64_t looked_ns = uv_hrtime();
  uint64_t looked_at = 0;
  LoopTimer look(loop, [&] {
    const uint64_t now_ns = uv_hrtime();
    const double seconds = static_cast<double>(now_ns - looked_ns) / 1e9;
    progress.Show(std::to_string(received) + " received",
                  static_cast<double>(received - looked_at) / seconds, -1, 0);
    looked_ns = now_ns;
    looked_at = received;
  });
  look.Start(kLookMs, kLookMs);
  StopSignals stop(loop, [&loop] { loop.Stop(); });
  loop.Run();
  return received;
}

}  // namespace belfry
