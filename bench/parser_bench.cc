// What a set costs between the socket and the scheduler: HTTP, JSON and the URL.

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <variant>

#include "delivery/url.h"
#include "http/request_parser.h"
#include "http/timer_json.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'790'000'000'000};

constexpr std::string_view kSmallBody =
    R"({"hours":1,"minutes":0,"seconds":1,"url":"http://127.0.0.1:9000/hook"})";
constexpr std::string_view kLargeBody =
    R"({"at":"2030-01-01T08:00:00.000Z","url":"https://hooks.example.org/a/b?c=1","method":"PUT",)"
    R"("headers":{"X-One":"1","X-Two":"2","Authorization":"Bearer 0123456789abcdef"},)"
    R"("json":{"order":12345,"items":[{"sku":"a","n":1},{"sku":"b","n":2}],"note":"as agreed"},)"
    R"("timeout":"5s","retry":{"max_attempts":5,"min":"1s","max":"1h","factor":3,"jitter":0.1}})";

std::string Post(std::string_view body) {
  return "POST /timers HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n"
         "Content-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// Gives all of `bytes` to the parser, `piece_bytes` at a time. The requests found, or -1.
int ParseAll(RequestParser* parser, std::string_view bytes, size_t piece_bytes) {
  int requests = 0;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    RequestParser::Event event = RequestParser::Event::kRequest;
    while (event == RequestParser::Event::kRequest) {
      event = parser->Next(piece);
      if (event == RequestParser::Event::kError) return -1;
      if (event == RequestParser::Event::kRequest) ++requests;
    }
  }
  return requests;
}

// `pipelined` requests in one read, or one request cut into pieces.
void ParseRequests(benchmark::State& state) {
  const auto pipelined = static_cast<int>(state.range(0));
  const auto piece_bytes = static_cast<size_t>(state.range(1));
  std::string bytes;
  for (int i = 0; i < pipelined; ++i) bytes += Post(kSmallBody);
  const size_t size = bytes.size();
  bytes.append(kBodyPaddingBytes, '\0');
  RequestParser parser{ParserLimits()};
  for (auto _ : state) {
    if (ParseAll(&parser, {bytes.data(), size}, piece_bytes) != pipelined) {
      return state.SkipWithError("not every request was parsed");
    }
  }
  state.SetItemsProcessed(state.iterations() * pipelined);
}
BENCHMARK(ParseRequests)
    ->ArgNames({"pipelined", "piece"})
    ->Args({1, 65536})
    ->Args({16, 65536})
    ->Args({1, 64})
    ->Args({1, 1});

void ReadTimerJson(benchmark::State& state, std::string_view json) {
  std::string body(json);
  body.append(kBodyPaddingBytes, '\0');
  TimerReader reader(NormaliseUrl, RetryPolicy());
  for (auto _ : state) {
    auto read = reader.Read({body.data(), json.size()}, kLocalTenant, kNow);
    if (const auto* error = std::get_if<BodyError>(&read)) {
      return state.SkipWithError(error->detail.c_str());
    }
    benchmark::DoNotOptimize(read);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(ReadTimerJson, Small, kSmallBody);
BENCHMARK_CAPTURE(ReadTimerJson, Large, kLargeBody);

// Part of the above.
void CheckUrl(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(NormaliseUrl("http://127.0.0.1:9000/hook"));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CheckUrl);

}  // namespace
}  // namespace belfry
