// Answers that are written bit by bit.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/http_chunks.h"
#include "tests/support/http_rig.h"

namespace belfry {
namespace {

// Begins a stream for every request to /s, and answers all others with their path; /held later.
class StreamHandler final : public RequestHandler, public StreamSource {
 public:
  void Handle(const Request& request, const ReplyTo& to) override {
    if (request.path == "/held") {
      held = to;
      return;
    }
    if (!request.path.starts_with("/s")) {
      Response response;
      response.body = std::string(request.path);
      return Respond(to, std::move(response));
    }
    to.responder->HoldFurther(to);
    opened.push_back(to);
    if (begin_at_once) Begin();
  }
  void Begin() {
    Response head;
    head.content_type = ContentType::kEventStream;
    head.headers = "X-Stream: yes\r\n";
    const ReplyTo to = opened.back();
    if (to.responder->Begin(to, std::move(head), {this, opened.size() - 1, endless})) ++begun;
  }
  void HasRoom(uint64_t stream) override {
    rooms.push_back(stream);
    roomy = true;
    if (pour_bytes > 0) Pour();
  }
  void Gone(uint64_t stream) override { gone.push_back(stream); }
  // As much as there is room for.
  void Pour() {
    while (roomy && poured < pour_bytes) {
      poured += 1000;
      Write(std::string(1000, 'x'));
    }
  }
  void Write(std::string_view bytes) {
    roomy = opened.back().responder->Write(opened.back(), bytes);
  }
  void AnswerHeld() { Respond(held, {}); }
  void End() { opened.back().responder->End(opened.back()); }

  bool begin_at_once = true;
  bool endless = false;
  bool roomy = false;
  size_t begun = 0;
  size_t pour_bytes = 0;
  size_t poured = 0;
  ReplyTo held;
  std::vector<ReplyTo> opened;
  std::vector<uint64_t> rooms;
  std::vector<uint64_t> gone;
};

class HttpStream : public testing::Test {
 protected:
  void Open(std::string_view request = Get("/s")) {
    ASSERT_TRUE(client_.Send(request));
    rig_.RunUntil([&] { return handler_.roomy; });
  }
  // Until so much has come.
  Chunks Until(std::string_view text) {
    rig_.RunUntil([&] {
      return ReadChunks(client_.Received()).text.find(text) != std::string::npos || client_.ended;
    });
    return ReadChunks(client_.Received());
  }

  StreamHandler handler_;
  HttpRig rig_{handler_};
  HttpClient client_{rig_};
};

TEST_F(HttpStream, ComesInChunksAndTheConnectionGoesOn) {
  Open();
  EXPECT_EQ(handler_.rooms.size(), 1u);
  handler_.Write("one");
  EXPECT_EQ(Until("one").text, "one");
  handler_.Write("two");
  EXPECT_EQ(Until("two").text, "onetwo");
  handler_.End();
  rig_.RunUntil([&] { return ReadChunks(client_.Received()).ended; });
  const std::string& received = client_.Received();
  EXPECT_EQ(StatusLine(received), "HTTP/1.1 200 OK");
  EXPECT_TRUE(HasLine(received, "Transfer-Encoding: chunked"));
  EXPECT_TRUE(HasLine(received, "Content-Type: text/event-stream"));
  EXPECT_TRUE(HasLine(received, "X-Stream: yes"));
  EXPECT_EQ(received.find("Content-Length"), std::string::npos);
  EXPECT_EQ(BodyOf(client_.Ask(Get("/next"))), "/next");
  EXPECT_TRUE(handler_.gone.empty());
  EXPECT_TRUE(rig_.server->Flushed());
}

TEST_F(HttpStream, EndsWithTheConnectionForAnHttp10Client) {
  Open("GET /s HTTP/1.0\r\nHost: localhost\r\n\r\n");
  handler_.Write("one");
  handler_.Write("two");
  handler_.End();
  const std::string all = client_.UntilEnd();
  EXPECT_TRUE(HasLine(all, "Connection: close"));
  EXPECT_EQ(all.find("chunked"), std::string::npos);
  EXPECT_EQ(BodyOf(all), "onetwo");
}

TEST_F(HttpStream, HeadGetsTheHeadAlone) {
  ASSERT_TRUE(client_.Send("HEAD /s HTTP/1.1\r\nHost: localhost\r\n\r\n" + Get("/next")));
  rig_.RunUntil([&] { return client_.Received().find("/next") != std::string::npos; });
  EXPECT_EQ(handler_.begun, 0u);
  EXPECT_TRUE(handler_.rooms.empty());
  EXPECT_TRUE(HasLine(client_.Received(), "Transfer-Encoding: chunked"));
  EXPECT_TRUE(handler_.gone.empty());
}

TEST_F(HttpStream, WaitsForTheAnswersBeforeIt) {
  handler_.begin_at_once = false;
  ASSERT_TRUE(client_.Send(Get("/first") + Get("/s") + Get("/behind")));
  rig_.RunUntil([&] { return !handler_.opened.empty(); });
  handler_.Begin();
  rig_.RunUntil([&] { return handler_.roomy; });
  handler_.Write("text");
  handler_.End();
  rig_.RunUntil([&] { return client_.Received().find("\r\n\r\n/behind") != std::string::npos; });
  const std::string& received = client_.Received();
  EXPECT_LT(received.find("\r\n\r\n/first"), received.find("text"));
  EXPECT_LT(received.find("text"), received.find("\r\n\r\n/behind"));
}

TEST_F(HttpStream, ClosesBehindItWhenTheClientAskedForThat) {
  Open(Get("/s", "Connection: close\r\n"));
  handler_.Write("one");
  handler_.End();
  const std::string all = client_.UntilEnd();
  EXPECT_TRUE(HasLine(all, "Connection: close"));
  EXPECT_TRUE(ReadChunks(all).ended);
}

TEST_F(HttpStream, ASlowReaderHoldsBackItsSourceAndNothingIsLost) {
  HttpClient slow(rig_, 4096);
  handler_.pour_bytes = 20'000'000;
  ASSERT_TRUE(slow.Send(Get("/s")));
  rig_.RunUntil([&] { return handler_.roomy || handler_.poured > 0; });
  rig_.RunTurns(100);
  // What the kernel takes, and no more than that.
  EXPECT_LT(handler_.poured, handler_.pour_bytes / 2);
  EXPECT_FALSE(handler_.roomy);
  rig_.RunUntil([&] {
    return slow.Received().size() > handler_.pour_bytes && handler_.poured == handler_.pour_bytes;
  });
  handler_.End();
  rig_.RunUntil([&] { return slow.Received().ends_with("\r\n0\r\n\r\n"); });
  const Chunks chunks = ReadChunks(slow.Received());
  EXPECT_TRUE(chunks.ended);
  EXPECT_EQ(chunks.text, std::string(handler_.pour_bytes, 'x'));
  EXPECT_GT(handler_.rooms.size(), 1u);
}

TEST_F(HttpStream, AReaderThatTakesNothingIsGivenUp) {
  HttpClient slow(rig_, 4096);
  handler_.pour_bytes = 20'000'000;
  ASSERT_TRUE(slow.Send(Get("/s")));
  rig_.RunUntil([&] { return handler_.poured > 0 && !handler_.roomy; });
  rig_.RunTurns(50);
  rig_.Advance(kConnectionTickMs);
  EXPECT_TRUE(handler_.gone.empty());
  rig_.Advance(kWriteStallTimeoutMs);
  EXPECT_EQ(handler_.gone, std::vector<uint64_t>{0});
}

TEST_F(HttpStream, ItsSourceIsToldThatTheClientIsGone) {
  Open();
  client_.Close();
  for (int i = 0; i < 3; ++i) {
    if (handler_.gone.empty()) handler_.Write("more");
    rig_.RunTurns();
  }
  EXPECT_EQ(handler_.gone, std::vector<uint64_t>{0});
}

TEST_F(HttpStream, AnEndlessOneIsOverWhenTheClientEndsItsSide) {
  handler_.endless = true;
  Open();
  client_.ShutdownWriting();
  rig_.RunUntil([&] { return !handler_.gone.empty(); });
  EXPECT_EQ(rig_.server->connections(), 0u);
}

TEST_F(HttpStream, AnotherOneGoesOnWhenTheClientEndsItsSide) {
  ASSERT_TRUE(client_.Send(Get("/s")));
  client_.ShutdownWriting();
  rig_.RunUntil([&] { return handler_.roomy; });
  rig_.RunTurns();
  handler_.Write("all");
  handler_.End();
  EXPECT_EQ(ReadChunks(client_.UntilEnd()).text, "all");
  EXPECT_TRUE(handler_.gone.empty());
}

TEST_F(HttpStream, RequestsBehindAnEndlessOneWait) {
  handler_.endless = true;
  ASSERT_TRUE(client_.Send(Get("/s") + Get("/behind")));
  rig_.RunUntil([&] { return handler_.roomy; });
  rig_.RunTurns();
  client_.Send(Get("/further"));
  rig_.RunTurns();
  EXPECT_EQ(client_.Received().find("/behind"), std::string::npos);
  handler_.End();
  rig_.RunUntil([&] { return client_.Received().find("/further") != std::string::npos; });
  EXPECT_NE(client_.Received().find("/behind"), std::string::npos);
}

TEST_F(HttpStream, CutOffClosesWithoutAnEnd) {
  Open();
  handler_.Write("half");
  Until("half");
  handler_.opened[0].responder->CutOff(handler_.opened[0]);
  EXPECT_FALSE(ReadChunks(client_.UntilEnd()).ended);
  EXPECT_TRUE(handler_.gone.empty());
  rig_.RunTurns();
  EXPECT_EQ(rig_.server->connections(), 0u);
}

TEST_F(HttpStream, TheServersEndIsTheClients) {
  Open();
  handler_.Write("half");
  rig_.server->CloseAll();
  EXPECT_EQ(handler_.gone, std::vector<uint64_t>{0});
  EXPECT_FALSE(handler_.opened[0].responder->Write(handler_.opened[0], "more"));
}

TEST_F(HttpStream, AStopWaitsForItsEnd) {
  Open();
  handler_.Write("half");
  rig_.server->StopAccepting();
  rig_.server->StopReading();
  rig_.RunTurns();
  EXPECT_FALSE(rig_.server->Flushed());
  handler_.End();
  rig_.RunTurns();
  EXPECT_TRUE(rig_.server->Flushed());
  EXPECT_TRUE(ReadChunks(client_.UntilEnd()).ended);
}

TEST_F(HttpStream, OneThatEndsBeforeItsTurnIsEmpty) {
  ASSERT_TRUE(client_.Send(Get("/held") + Get("/s") + Get("/behind")));
  rig_.RunUntil([&] { return handler_.begun == 1; });
  handler_.End();
  handler_.End();
  rig_.RunTurns();
  EXPECT_EQ(client_.Received(), "");
  handler_.AnswerHeld();
  rig_.RunUntil([&] { return client_.Received().find("/behind") != std::string::npos; });
  const std::string& received = client_.Received();
  const Chunks chunks = ReadChunks(received.substr(received.find("HTTP/1.1 200 OK", 1)));
  EXPECT_TRUE(chunks.ended);
  EXPECT_EQ(chunks.text, "");
  EXPECT_TRUE(handler_.rooms.empty());
  EXPECT_TRUE(handler_.gone.empty());
}

TEST_F(HttpStream, AStopDoesNotWaitForOneThatEndedBeforeItsTurn) {
  ASSERT_TRUE(client_.Send(Get("/held") + "GET /s HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  rig_.RunUntil([&] { return handler_.begun == 1; });
  rig_.server->StopAccepting();
  rig_.server->StopReading();
  handler_.End();
  handler_.AnswerHeld();
  rig_.RunUntil([&] { return rig_.server->Flushed(); });
  const std::string all = client_.UntilEnd();
  const std::string second = all.substr(all.find("HTTP/1.1 200 OK", 1));
  EXPECT_TRUE(HasLine(second, "Connection: close"));
  EXPECT_EQ(BodyOf(second), "");
}

TEST_F(HttpStream, BeginForAClientThatIsGoneSaysSo) {
  handler_.begin_at_once = false;
  ASSERT_TRUE(client_.Send(Get("/s")));
  rig_.RunUntil([&] { return !handler_.opened.empty(); });
  rig_.server->CloseAll();
  rig_.RunTurns();
  handler_.Begin();
  EXPECT_EQ(handler_.begun, 0u);
  EXPECT_TRUE(handler_.gone.empty());
}

}  // namespace
}  // namespace belfry
