// The parts of peer-load that need no socket: what is sent, and where a reply ends.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "bench/peers/reply_reader.h"
#include "bench/peers/request_template.h"

namespace belfry {
namespace {

using Verdict = ReplyReader::Verdict;

TEST(RequestTemplate, TheNumberHasAlwaysTheSameLength) {
  RequestTemplate request("put {n}\r\n{n}");
  EXPECT_EQ(request.Make(7, 0), "put 000000000007\r\n000000000007");
  EXPECT_EQ(request.Make(999'999'999'999, 0), "put 999999999999\r\n999999999999");
}

TEST(RequestTemplate, WhatIsLeftIsWrittenAsItIs) {
  RequestTemplate request("?delay={left_ms}ms&n={n}");
  EXPECT_EQ(request.Make(1, 1234), "?delay=1234ms&n=000000000001");
  EXPECT_EQ(request.Make(1, -5), "?delay=-5ms&n=000000000001");
}

TEST(RequestTemplate, OtherBracesAreText) {
  RequestTemplate request("{\"n\":1}{m}");
  EXPECT_EQ(request.Make(1, 0), "{\"n\":1}{m}");
}

// What a reader says after each single byte: kMore until the last one.
void ExpectAtEveryCut(ReplyReader& reader, std::string_view reply, Verdict verdict) {
  for (size_t i = 0; i + 1 < reply.size(); ++i) {
    ASSERT_EQ(reader.Take(reply.substr(i, 1)), Verdict::kMore) << i;
  }
  EXPECT_EQ(reader.Take(reply.substr(reply.size() - 1)), verdict);
  EXPECT_EQ(reader.text(), reply);
}

TEST(LinesReader, AReplyEndsAtItsLastLineHoweverItIsCut) {
  LinesReader reader(6, "\r\n*2\r\n");
  constexpr std::string_view kReply = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:4\r\n:1\r\n";
  ExpectAtEveryCut(reader, kReply, Verdict::kGood);
  EXPECT_EQ(reader.Take(kReply), Verdict::kGood);
}

TEST(LinesReader, AReplyWithoutTheGoodWordIsBad) {
  LinesReader reader(1, "INSERTED ");
  EXPECT_EQ(reader.Take("OUT_OF_MEMORY\r\n"), Verdict::kBad);
  EXPECT_EQ(reader.Take("INSERTED 8\r\n"), Verdict::kGood);
}

TEST(LinesReader, MoreThanWasAskedForIsBroken) {
  LinesReader reader(1, "");
  EXPECT_EQ(reader.Take("INSERTED 1\r\nIN"), Verdict::kBroken);
}

TEST(HttpReader, OneAfterTheOtherHoweverTheyAreCut) {
  HttpReader reader;
  ExpectAtEveryCut(reader, "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}", Verdict::kGood);
  ExpectAtEveryCut(reader, "HTTP/1.1 500 Oh\r\ncontent-length: 1\r\n\r\nx", Verdict::kBad);
  EXPECT_EQ(reader.Take("HTTP/1.1 204 No Content\r\n\r\n"), Verdict::kGood);
}

TEST(HttpReader, ChunkedRepliesEndToo) {
  HttpReader reader;
  ExpectAtEveryCut(reader,
                   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                   Verdict::kGood);
}

TEST(HttpReader, AClosingConnectionAndWhatIsNotHttpAreBroken) {
  HttpReader closing;
  EXPECT_EQ(closing.Take("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
            Verdict::kBroken);
  HttpReader other;
  EXPECT_EQ(other.Take("-ERR unknown command\r\n"), Verdict::kBroken);
  HttpReader twice;
  EXPECT_EQ(twice.Take("HTTP/1.1 204 A\r\n\r\nHTTP/1.1 204 A\r\n\r\n"), Verdict::kBroken);
}

}  // namespace
}  // namespace belfry
