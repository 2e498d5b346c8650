// GET /api/stopwatch/events over loopback, with the real scheduler and the ledger in memory.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "tests/support/event_client.h"
#include "tests/support/http_api_rig.h"
#include "tests/support/stream_collector.h"

namespace belfry {
namespace {

constexpr TenantId kBob = kLocalTenant + 1;
constexpr char kNow[] = "2026-11-21T08:00:00.000Z";

class EventStreamsTest : public testing::Test {
 protected:
  void Start(TenantId tenant, std::string name) {
    rig_.engine->stopwatches().Start(0, tenant, std::move(name), rig_.http->clock.mono);
    rig_.http->RunTurns();
  }
  void Delete(TenantId tenant, std::string name) {
    rig_.engine->stopwatches().Delete(0, tenant, std::move(name));
    rig_.http->RunTurns();
  }
  static std::string Row(std::string_view user, std::string_view name, std::string_view at = kNow) {
    return "{\"user\":\"" + std::string(user) + "\",\"name\":\"" + std::string(name) +
           "\",\"started_at\":\"" + std::string(at) + "\"}";
  }
  static std::string Change(std::string_view user, std::string_view name, std::string_view at,
                            std::string_view now) {
    const std::string row = Row(user, name, at);
    return row.substr(0, row.size() - 1) + ",\"server_now\":\"" + std::string(now) + "\"}";
  }
  std::string Status(std::string_view query) {
    return StatusLine(rig_.Ask(Get("/api/stopwatch/events?" + std::string(query))));
  }

  HttpApiRig rig_;
};

TEST_F(EventStreamsTest, BeginsWithASnapshotThenTellsOfEachChange) {
  Start(kLocalTenant, "tea");
  Start(kBob, "tea");
  Start(kBob, "run");
  EventClient client(rig_, "name=tea");
  EXPECT_EQ(StatusLine(client.Head()), "HTTP/1.1 200 OK");
  EXPECT_TRUE(HasLine(client.Head(), "Content-Type: text/event-stream"));
  EXPECT_TRUE(HasLine(client.Head(), "Cache-Control: no-cache"));
  EXPECT_TRUE(HasLine(client.Head(), "X-Accel-Buffering: no"));
  const auto first = client.Events(1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].name, "snapshot");
  EXPECT_EQ(first[0].data, "[" + Row("local", "tea") + "," + Row("bob", "tea") + "]");
  rig_.http->Advance(1000);
  Start(kBob, "tea");
  Start(kBob, "run");
  Start(kBob + 1, "tea");
  Delete(kBob, "tea");
  const auto events = client.Events(4);
  ASSERT_EQ(events.size(), 4u);
  constexpr char kLater[] = "2026-11-21T08:00:01.000Z";
  EXPECT_EQ(events[1].name, "reset");
  EXPECT_EQ(events[1].data, Change("bob", "tea", kLater, kLater));
  EXPECT_EQ(events[2].name, "created");
  EXPECT_EQ(events[2].data, Change("carol", "tea", kLater, kLater));
  EXPECT_EQ(events[3].name, "deleted");
  EXPECT_EQ(events[3].data, Change("bob", "tea", kLater, kLater));
  for (size_t i = 1; i < 4; ++i) EXPECT_NE(events[i].id, events[i - 1].id);
}

TEST_F(EventStreamsTest, OwnCoversAllOfTheCallersAndNoOthers) {
  Start(kLocalTenant, "run");
  Start(kBob, "run");
  EventClient client(rig_, "own=true");
  EXPECT_EQ(client.Events(1)[0].data, "[" + Row("local", "run") + "]");
  Start(kBob, "run");
  Start(kLocalTenant, "new");
  Delete(kLocalTenant, "run");
  const auto events = client.Events(3);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].name, "created");
  EXPECT_EQ(events[2].name, "deleted");
  EXPECT_FALSE(client.over());
}

TEST_F(EventStreamsTest, NobodyWithoutStopwatchesGetsAnEmptySnapshotOfTheirOwn) {
  EventClient client(rig_, "own=true");
  EXPECT_EQ(client.Events(1)[0].data, "[]");
}

TEST_F(EventStreamsTest, ASnapshotOfManyPagesIsOneEvent) {
  std::string expected = "[";
  for (int i = 0; i < 20; ++i) {
    const std::string name = "n" + std::to_string(10 + i);
    Start(kLocalTenant, name);
    expected += (i == 0 ? "" : ",") + Row("local", name);
  }
  EventClient client(rig_, "own=true");
  const auto events = client.Events(1);
  EXPECT_EQ(events[0].data, expected + "]");
  EXPECT_NE(events[0].id, "");
}

TEST_F(EventStreamsTest, NoFurtherPageOfASnapshotIsReadBeforeThereIsRoom) {
  const std::string name(kUserNameCharsMax - 4, 'x');
  for (int i = 0; i < 1000; ++i) Start(kLocalTenant, name + std::to_string(1000 + i));
  StreamCollector slow;
  const ReplyTo to = slow.New();
  rig_.events->Open(to, {}, {kLocalTenant, {}, true}, {});
  rig_.http->RunTurns(200);
  EXPECT_TRUE(slow.at(to).streamed);
  EXPECT_EQ(rig_.queries_run, 1u);
  slow.GiveRoom(to);
  rig_.http->RunTurns(600);
  const std::string& text = slow.at(to).text;
  const auto rows = [&] { return std::count(text.begin(), text.end(), '{'); };
  EXPECT_EQ(rig_.queries_run * HttpApiRig::kPageRows, static_cast<size_t>(rows()));
  EXPECT_LT(rows(), 500);
  for (int room = 0; room < 5; ++room) {
    slow.GiveRoom(to);
    rig_.http->RunTurns(600);
  }
  EXPECT_EQ(rows(), 1000);
  EXPECT_NE(text.find("]\nid: "), std::string::npos);
  slow.Leave(to);
}

TEST_F(EventStreamsTest, NamesMayRepeatUpTo64Times) {
  std::string query;
  for (size_t i = 0; i < kFeedNamesMax; ++i) {
    Start(kLocalTenant, "n" + std::to_string(i));
    query += "name=n" + std::to_string(i) + "&";
  }
  EventClient client(rig_, query + "own=true");
  const std::string data = client.Events(1)[0].data;
  EXPECT_EQ(static_cast<size_t>(std::count(data.begin(), data.end(), '{')), kFeedNamesMax);
  EXPECT_EQ(Status(query + "name=more"), "HTTP/1.1 400 Bad Request");
}

TEST_F(EventStreamsTest, WrongParametersAreRefused) {
  Start(kLocalTenant, "tea");
  for (const char* query : {"own=false", "own=yes", "own=", "name=", "name=tea&name=tea",
                            "own=true&own=true", "names=tea", "name=tea&x=1", "name"}) {
    EXPECT_EQ(Status(query), "HTTP/1.1 400 Bad Request") << query;
  }
}

TEST_F(EventStreamsTest, ANameThatIsNotOwnedIsTheSame403WhetherAnybodyHasOneOrNot) {
  Start(kLocalTenant, "tea");
  Start(kBob, "run");
  const std::string somebodys = rig_.Ask(Get("/api/stopwatch/events?name=tea&name=run"));
  const std::string nobodys = rig_.Ask(Get("/api/stopwatch/events?name=tea&name=sit&own=true"));
  EXPECT_EQ(StatusLine(somebodys), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(BodyOf(somebodys), BodyOf(nobodys));
  EXPECT_EQ(rig_.engine->stopwatches().feed().subscribers(), 0u);
}

TEST_F(EventStreamsTest, ResumesBehindTheLastEventWithoutASnapshot) {
  Start(kLocalTenant, "tea");
  std::string last;
  {
    EventClient client(rig_, "name=tea");
    client.Events(1);
    Start(kBob, "tea");
    last = client.Events(2)[1].id;
  }
  rig_.http->RunTurns();
  Start(kBob, "tea");
  Delete(kBob, "tea");
  EventClient again(rig_, "name=tea", "Last-Event-ID: " + last + "\r\n");
  const auto events = again.Events(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].name, "reset");
  EXPECT_EQ(events[1].name, "deleted");
  Start(kBob, "tea");
  EXPECT_EQ(again.Events(3)[2].name, "created");
}

TEST_F(EventStreamsTest, ResumesBehindASnapshotToo) {
  Start(kLocalTenant, "tea");
  std::string last;
  {
    EventClient client(rig_, "name=tea");
    last = client.Events(1)[0].id;
  }
  EventClient again(rig_, "name=tea", "Last-Event-ID: " + last + "\r\n");
  again.Head();
  EXPECT_TRUE(again.Now().empty());
  Start(kBob, "tea");
  EXPECT_EQ(again.Events(1)[0].name, "created");
}

TEST_F(EventStreamsTest, WhatCannotBeResumedBeginsAnewAfterAResync) {
  Start(kLocalTenant, "tea");
  EventClient client(rig_, "name=tea");
  const std::string old = client.Events(1)[0].id;
  Start(kBob, "tea");
  for (size_t i = 0; i < HttpApiRig::kFeedEvents + 1; ++i) Start(kBob, "n" + std::to_string(i));
  const std::string run = old.substr(0, old.find('-'));
  for (const std::string& id : {old, "1-" + old.substr(old.find('-') + 1), run + "-999999",
                                run + "-", std::string("nonsense"), std::string()}) {
    EventClient again(rig_, "name=tea", "Last-Event-ID: " + id + "\r\n");
    const auto events = again.Events(2);
    ASSERT_EQ(events.size(), 2u) << id;
    EXPECT_EQ(events[0].name, "resync");
    EXPECT_EQ(events[0].data, "{}");
    EXPECT_EQ(events[0].id, "");
    EXPECT_EQ(events[1].name, "snapshot");
    EXPECT_EQ(events[1].data, "[" + Row("local", "tea") + "," + Row("bob", "tea") + "]");
  }
}

TEST_F(EventStreamsTest, OneStopwatchThatIsResetAllTheTimeTakesResumingFromNobody) {
  Start(kLocalTenant, "tea");
  EventClient client(rig_, "name=tea");
  const std::string old = client.Events(1)[0].id;
  Start(kBob, "tea");
  for (size_t i = 0; i < 10 * HttpApiRig::kFeedEvents; ++i) Start(kBob + 1, "run");
  EventClient again(rig_, "name=tea", "Last-Event-ID: " + old + "\r\n");
  EXPECT_EQ(again.Events(1)[0].name, "created");
}

TEST_F(EventStreamsTest, ASnapshotThatTakesLongOutlivesManyResets) {
  for (int i = 0; i < 5; ++i) Start(kLocalTenant, "n" + std::to_string(i));
  rig_.hold_queries = true;
  EventClient client(rig_, "own=true");
  rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  for (size_t i = 0; i < 10 * HttpApiRig::kFeedEvents; ++i) Start(kLocalTenant, "n1");
  rig_.hold_queries = false;
  EXPECT_EQ(client.Events(2)[0].name, "snapshot");
  EXPECT_EQ(client.Events(2)[1].name, "reset");
  EXPECT_FALSE(client.over());
}

TEST_F(EventStreamsTest, ResumingSaysNothingFromBeforeTheNameWasOwned) {
  Start(kLocalTenant, "run");
  EventClient client(rig_, "own=true");
  const std::string old = client.Events(1)[0].id;
  Start(kBob, "tea");
  Start(kLocalTenant, "tea");
  EventClient again(rig_, "name=tea", "Last-Event-ID: " + old + "\r\n");
  EXPECT_EQ(again.Events(2)[0].name, "resync");
  EXPECT_EQ(again.Events(2)[1].name, "snapshot");
  // Or while it is looked at whether it is.
  rig_.hold_queries = true;
  EventClient racing(rig_, "name=swim", "Last-Event-ID: " + old + "\r\n");
  rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  Start(kBob, "swim");
  Start(kLocalTenant, "swim");
  rig_.hold_queries = false;
  rig_.http->RunUntil([&] { return racing.over(); });
  EXPECT_TRUE(racing.Now().empty());
}

TEST_F(EventStreamsTest, ResumingAsksForOwnershipAgain) {
  Start(kLocalTenant, "tea");
  EventClient client(rig_, "name=tea&own=true");
  const std::string last = client.Events(1)[0].id;
  Delete(kLocalTenant, "tea");
  EXPECT_EQ(StatusLine(
                rig_.Ask(Get("/api/stopwatch/events?name=tea", "Last-Event-ID: " + last + "\r\n"))),
            "HTTP/1.1 403 Forbidden");
  Start(kLocalTenant, "tea");
  EventClient again(rig_, "name=tea", "Last-Event-ID: " + last + "\r\n");
  EXPECT_EQ(again.Events(1)[0].name, "resync");
}

TEST_F(EventStreamsTest, ACommentComesEvery15Seconds) {
  EventClient client(rig_, "own=true");
  client.Events(1);
  const size_t before = client.Comments();
  rig_.http->Advance(kFeedCommentMs - 1);
  EXPECT_EQ(client.Comments(), before);
  for (size_t i = 1; i < 5; ++i) {
    rig_.http->Advance(i == 1 ? 1 : kFeedCommentMs);
    EXPECT_EQ(client.Comments(), before + i);
  }
  EXPECT_NE(client.Text().find(": server_now 2026-11-21T08:01:00.000Z\n\n"), std::string::npos);
  Start(kLocalTenant, "tea");
  EXPECT_EQ(client.Events(2)[1].name, "created");
}

TEST_F(EventStreamsTest, CarriesNoMoreOfANameOnceTheCallerGaveItUp) {
  Start(kLocalTenant, "tea");
  Start(kLocalTenant, "run");
  EventClient client(rig_, "name=tea&name=run");
  client.Events(1);
  Delete(kLocalTenant, "tea");
  Start(kBob, "tea");
  Start(kLocalTenant, "tea");
  Start(kBob, "run");
  const auto events = client.Events(3);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].name, "deleted");
  EXPECT_EQ(events[2].data.find("tea"), std::string::npos);
  EXPECT_FALSE(client.over());
  Delete(kLocalTenant, "run");
  EXPECT_EQ(client.Events(4)[3].name, "deleted");
  rig_.http->RunUntil([&] { return client.over(); });
  EXPECT_TRUE(client.ended_in_order());
  EXPECT_EQ(rig_.events->size(), 0u);
}

TEST_F(EventStreamsTest, AReaderThatFallsBehindIsCutOffAndResumes) {
  Start(kLocalTenant, "tea");
  const std::string name(kUserNameCharsMax, 'n');
  HttpClient slow(*rig_.http, 4096);
  slow.Send(Get("/api/stopwatch/events?own=true"));
  rig_.http->RunUntil([&] { return ReadChunks(slow.Received()).text.ends_with("\n\n"); });
  rig_.http->RunUntil([&] { return slow.Received().find("event: snapshot") != std::string::npos; });
  // It reads nothing: more than the kernel takes, then the mark, then the ring.
  constexpr size_t kMany = 30'000;
  for (size_t i = 0; i < kMany / 2; ++i) {
    Start(kLocalTenant, name);
    Delete(kLocalTenant, name);
  }
  rig_.http->RunUntil([&] {
    slow.Received();
    return slow.ended;
  });
  EXPECT_EQ(rig_.events->size(), 0u);
  EXPECT_LT(slow.Received().size(), kMany * name.size());
  EXPECT_FALSE(ReadChunks(slow.Received()).ended);
  const std::string text = ReadChunks(slow.Received()).text;
  const size_t id = text.rfind("\nid: ");
  ASSERT_NE(id, std::string::npos);
  EventClient again(
      rig_, "own=true",
      "Last-Event-ID: " + text.substr(id + 5, text.find('\n', id + 1) - id - 5) + "\r\n");
  EXPECT_EQ(again.Events(2)[0].name, "resync");
  EXPECT_EQ(again.Events(2)[1].name, "snapshot");
}

TEST_F(EventStreamsTest, ChangesDuringASnapshotFollowIt) {
  for (int i = 0; i < 5; ++i) Start(kLocalTenant, "n" + std::to_string(i));
  rig_.hold_queries = true;
  EventClient client(rig_, "own=true");
  rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  Start(kLocalTenant, "later");
  rig_.hold_queries = false;
  const auto events = client.Events(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].name, "snapshot");
  EXPECT_EQ(events[1].name, "created");
  EXPECT_NE(events[1].data.find("later"), std::string::npos);
}

TEST_F(EventStreamsTest, WhatManyAreToldGoesOutOverSeveralTurns) {
  Start(kLocalTenant, "tea");
  constexpr size_t kPerTurn = HttpApiRig::kWritesPerTurn;
  constexpr size_t kMany = 2 * kPerTurn + 1;
  StreamCollector collector;
  std::vector<ReplyTo> all;
  for (size_t i = 0; i < kMany; ++i) {
    all.push_back(collector.New());
    rig_.events->Open(all.back(), {}, {kLocalTenant, {"tea"}, false}, {});
  }
  rig_.http->RunTurns();
  for (const ReplyTo& to : all) collector.GiveRoom(to);
  rig_.http->RunTurns();
  EXPECT_FALSE(rig_.events->busy());
  // How many have so many of these.
  const auto told = [&](std::string_view what, size_t times) {
    size_t have = 0;
    for (const ReplyTo& to : all) {
      const std::string& text = collector.at(to).text;
      size_t count = 0;
      for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
      have += count == times ? 1 : 0;
    }
    return have;
  };
  rig_.engine->stopwatches().Start(0, kBob, "tea", rig_.http->clock.mono);
  rig_.Pump();
  EXPECT_EQ(told("event: created", 1), kPerTurn);
  EXPECT_TRUE(rig_.events->busy());
  rig_.Pump();
  EXPECT_EQ(told("event: created", 1), 2 * kPerTurn);
  rig_.Pump();
  EXPECT_EQ(told("event: created", 1), kMany);
  EXPECT_FALSE(rig_.events->busy());
  rig_.http->clock.mono = rig_.http->clock.mono + kFeedCommentMs;
  EXPECT_TRUE(rig_.events->busy());
  rig_.Pump();
  EXPECT_EQ(told(": server_now", 2), kPerTurn);
  EXPECT_TRUE(rig_.events->busy());
  rig_.Pump();
  rig_.Pump();
  EXPECT_EQ(told(": server_now", 2), kMany);
  EXPECT_FALSE(rig_.events->busy());
  for (const ReplyTo& to : all) collector.Leave(to);
  EXPECT_EQ(rig_.events->size(), 0u);
}

TEST_F(EventStreamsTest, HeadHasTheHeadAlone) {
  rig_.client->Send("HEAD /api/stopwatch/events?own=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
  rig_.http->RunUntil([&] { return rig_.client->Received().ends_with("\r\n\r\n"); });
  EXPECT_TRUE(HasLine(rig_.client->Received(), "Content-Type: text/event-stream"));
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.events->size(), 0u);
  EXPECT_EQ(rig_.engine->stopwatches().feed().subscribers(), 0u);
}

TEST_F(EventStreamsTest, WhoGoesAwayIsForgotten) {
  {
    EventClient client(rig_, "own=true");
    client.Events(1);
    EXPECT_EQ(rig_.events->size(), 1u);
  }
  rig_.http->RunUntil([&] { return rig_.events->size() == 0; });
  EXPECT_EQ(rig_.engine->stopwatches().feed().subscribers(), 0u);
  Start(kLocalTenant, "tea");
  rig_.http->Advance(2 * kFeedCommentMs);
}

TEST_F(EventStreamsTest, AStopEndsThemInOrder) {
  EventClient client(rig_, "own=true");
  client.Events(1);
  rig_.events->EndAll();
  rig_.http->RunUntil([&] { return client.over(); });
  EXPECT_TRUE(client.ended_in_order());
  EXPECT_EQ(Status("own=true"), "HTTP/1.1 503 Service Unavailable");
}

TEST_F(EventStreamsTest, SoManyAtOnceAndThenOneWhenOneHasGone) {
  StreamCollector collector;
  std::vector<ReplyTo> all;
  const auto open = [&] {
    all.push_back(collector.New());
    rig_.events->Open(all.back(), {}, {kLocalTenant, {}, true}, {});
    rig_.http->RunTurns();
    return collector.at(all.back()).response->status;
  };
  for (size_t i = 0; i < HttpApiRig::kStreamsMax; ++i) EXPECT_EQ(open(), 200);
  EXPECT_EQ(open(), 503);
  EXPECT_EQ(collector.at(all.back()).response->headers, "Retry-After: 1\r\n");
  all.pop_back();
  EXPECT_EQ(BodyOf(rig_.Ask(Get("/api/stopwatch"))), "{}") << "others are served";
  collector.Leave(all.front());
  EXPECT_EQ(open(), 200);
  EXPECT_EQ(rig_.events->size(), HttpApiRig::kStreamsMax);
}

}  // namespace
}  // namespace belfry
