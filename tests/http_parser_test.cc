#include <gtest/gtest.h>

#include "tests/support/http_parse.h"

namespace belfry {
namespace {

Parsed Parse(std::string_view bytes, ParserLimits limits = {}) {
  return ParseInPieces(bytes, {}, limits);
}

std::string Post(std::string_view headers, std::string_view body) {
  return "POST /timers HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

std::string Chunked(std::string_view body) { return Post("Transfer-Encoding: chunked\r\n", body); }

TEST(RequestParser, ReadsARequestWithABody) {
  const Parsed parsed = Parse(
      "POST /timers?x=1&y HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type:application/json  \r\n"
      "Content-Length: 2\r\n\r\n{}");
  ASSERT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.requests,
            std::vector<std::string>{
                "POST /timers?x=1&y host=localhost:8080 1.1 keep [Host=localhost:8080] "
                "[Content-Type=application/json] [Content-Length=2] body={}"});
}

TEST(RequestParser, KeepAliveFollowsTheVersionAndTheConnectionHeader) {
  const auto kept = [](std::string_view version, std::string_view headers) {
    const Parsed parsed = Parse("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
                                std::string(headers) + "\r\n");
    EXPECT_EQ(parsed.requests.size(), 1u) << parsed.error;
    return parsed.requests[0].find(" keep ") != std::string::npos;
  };
  EXPECT_TRUE(kept("1.1", ""));
  EXPECT_TRUE(kept("1.1", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(kept("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(kept("1.1", "Connection: foo, Close\r\n"));
  EXPECT_FALSE(kept("1.0", ""));
  EXPECT_TRUE(kept("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(kept("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestParser, AnOfferToUpgradeIsDeclined) {
  const Parsed parsed = Parse(
      "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABk\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.requests.size(), 2u);
}

TEST(RequestParser, AbsoluteFormGivesPathAndHost) {
  const Parsed parsed = Parse("GET http://evil.example:1?q=2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(parsed.requests, std::vector<std::string>{
                                 "GET /?q=2 host=evil.example:1 1.1 keep [Host=localhost] body="});
}

TEST(RequestParser, EmptyLinesBeforeARequestAreSkipped) {
  const Parsed parsed = Parse("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.requests.size(), 1u);
  EXPECT_EQ(parsed.phase, RequestParser::Phase::kIdle);
  EXPECT_EQ(Parse("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error_status, 400);
}

TEST(RequestParser, ChunksAreJoinedAndTrailersDropped) {
  const Parsed parsed = Parse(
      Chunked("5\r\nhello\r\n1;ext=\"v\"\r\n!\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"));
  ASSERT_EQ(parsed.error, "");
  ASSERT_EQ(parsed.requests.size(), 1u);
  EXPECT_TRUE(parsed.requests[0].ends_with(" body=hello!"));
  EXPECT_EQ(parsed.requests[0].find("X-Sum"), std::string::npos);
}

// Whatever the pieces, the requests and errors are the same.
TEST(RequestParser, EveryCutGivesTheSame) {
  const std::string streams[] = {
      Post("Content-Type: application/json\r\nContent-Length: 11\r\n", "hello world") +
          "GET /health?a=b HTTP/1.1\r\nHost: a\r\n\r\n" +
          Chunked("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\nC:\r\n\r\n") +
          "\r\nDELETE /timers/1 HTTP/1.0\r\n\r\n" + "GET http://h:1/p HTTP/1.1\r\nHost: b\r\n\r\n",
      Post("Content-Length: 3\r\n", "abc") + Chunked("3\r\nabc\r\n0\r\nA: b\r\n folded\r\n\r\n"),
      "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: y\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n\nGET / HTTP/1.1\r\nX: y\r\n\r\n",
      Chunked("3\r\nabc\n0\r\n\r\n"),
      Post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abcGET"),
  };
  for (const std::string& stream : streams) {
    const Parsed whole = Parse(stream);
    std::vector<size_t> every;
    for (size_t cut = 1; cut < stream.size(); ++cut) {
      every.push_back(cut);
      Parsed cut_once = ParseInPieces(stream, {cut});
      // llhttp and our own checks may be first to see the same fault; that is all that may differ.
      cut_once.error = whole.error.empty() ? cut_once.error : whole.error;
      EXPECT_EQ(cut_once.requests, whole.requests) << cut;
      EXPECT_EQ(cut_once.error_status, whole.error_status) << cut;
      EXPECT_EQ(cut_once.phase, whole.phase) << cut;
      for (size_t second = cut + 1; second < stream.size(); second += 7) {
        const Parsed cut_twice = ParseInPieces(stream, {cut, second});
        EXPECT_EQ(cut_twice.requests, whole.requests) << cut << " " << second;
        EXPECT_EQ(cut_twice.error_status, whole.error_status) << cut << " " << second;
      }
    }
    const Parsed bytewise = ParseInPieces(stream, every);
    EXPECT_EQ(bytewise.requests, whole.requests);
    EXPECT_EQ(bytewise.error_status, whole.error_status);
  }
}

TEST(RequestParser, EveryTruncationNeedsMoreOrIsAnError) {
  const std::string one = Chunked("5\r\nhello\r\n0\r\nA: b\r\n\r\n");
  for (size_t length = 0; length < one.size(); ++length) {
    const Parsed parsed = Parse(one.substr(0, length));
    EXPECT_TRUE(parsed.requests.empty()) << length;
    EXPECT_EQ(parsed.error, "") << length;
  }
}

using std::string_literals::operator""s;

// One 400 for anything another server might read differently.
TEST(RequestParser, FramingInDoubtIsRefused) {
  const std::string doubtful[] = {
      // line ends
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\n",
      "GET / HTTP/1.1\r\nHost: a\n\n",
      "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\rHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX:\nY: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX:\rY: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n",
      // folding
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n c\r\n\r\n",
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      // header names and values
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"s,
      "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"s,
      "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s,
      "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
      // the request line
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / \r\n\r\n",
      "GET / HTTP/0.9\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
      "GET / HTTP/11\r\nHost: a\r\n\r\n",
      "GET / RTSP/1.0\r\nHost: a\r\n\r\n",
      "SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "get / HTTP/1.1\r\nHost: a\r\n\r\n",
      "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://u@h/x HTTP/1.1\r\nHost: a\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
      // Host
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a,b\r\nHost: c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
      // Content-Length and Transfer-Encoding
      Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
      Post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
      Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
      Post("Content-Length: 5, 5\r\n", "hello"),
      Post("Content-Length: +5\r\n", "hello"),
      Post("Content-Length: -5\r\n", "hello"),
      Post("Content-Length: 0x5\r\n", "hello"),
      Post("Content-Length: 5a\r\n", "hello"),
      Post("Content-Length: 5 5\r\n", "hello"),
      Post("Content-Length: 5.0\r\n", "hello"),
      Post("Content-Length:\r\n", ""),
      Post("Content-Length: 99999999999999999999\r\n", ""),
      Post("Content-Length: 18446744073709551617\r\n", "h"),
      Post("Content-Length : 5\r\n", "hello"),
      Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: identity\r\n", ""),
      Post("Transfer-Encoding: gzip\r\n", ""),
      Post("Transfer-Encoding:\r\n", ""),
      Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: \x0b"
           "chunked\r\n",
           "0\r\n\r\n"),
      "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // chunks
      Chunked("5\nhello\r\n0\r\n\r\n"),
      Chunked("5\r\nhello\n0\r\n\r\n"),
      Chunked("5\r\nhelloXX0\r\n\r\n"),
      Chunked("5\rXhello\r\n0\r\n\r\n"),
      Chunked("5\r\nhello\r\n0\n\r\n"),
      Chunked("5\r\nhello\r\n0\r\n\n"),
      Chunked("5\r\nhello\r\n0\r\nA: b\n\r\n"),
      Chunked("5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"),
      Chunked("5\r\nhello\r\n0\r\nA: b\r\n\n"),
      Chunked("5\r\nhello\r\n0\r\n A: b\r\n\r\n"),
      Chunked("5\r\nhello\r\n0\r\nA b\r\n\r\n"),
      Chunked("5\r\nhello\r\n0\r\nA: \0\r\n\r\n"s),
      Chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"),
      Chunked("5;\nb\r\nhello\r\n0\r\n\r\n"),
      Chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
      Chunked("5;a=b\nhello\r\n0\r\n\r\n"),
      Chunked("5 \r\nhello\r\n0\r\n\r\n"),
      Chunked(" 5\r\nhello\r\n0\r\n\r\n"),
      Chunked("-5\r\nhello\r\n0\r\n\r\n"),
      Chunked("0x5\r\nhello\r\n0\r\n\r\n"),
      Chunked("\r\nhello\r\n0\r\n\r\n"),
      Chunked("5_\r\nhello\r\n0\r\n\r\n"),
      Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"),
      Chunked("g\r\n"),
      Chunked("5\r\nhello\r\n0\r\n\rX\r\n\r\n"),
  };
  for (const std::string& bytes : doubtful) {
    const Parsed parsed = Parse(bytes);
    EXPECT_EQ(parsed.error_status, 400) << testing::PrintToString(bytes);
    EXPECT_TRUE(parsed.requests.empty()) << testing::PrintToString(bytes);
    EXPECT_FALSE(parsed.error.empty());
    // The second request is not reached either, however the bytes arrive.
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const Parsed cut_once =
          ParseInPieces(bytes + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", {cut});
      EXPECT_EQ(cut_once.error_status, 400) << testing::PrintToString(bytes) << " at " << cut;
      EXPECT_TRUE(cut_once.requests.empty()) << testing::PrintToString(bytes) << " at " << cut;
    }
  }
}

TEST(RequestParser, SomeOddButClearRequestsAreTaken) {
  const std::string odd[] = {
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
      "GET / HTTP/1.1\r\nHOST: \t a \t\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      Post("Content-Length: 5 \r\n", "hello"),
      Post("Content-Length: 00005\r\n", "hello"),
      Post("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n"),
      "GET /%20?%00 HTTP/1.1\r\nHost: a:\r\nX:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n",
      "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n",
      Chunked("005\r\nhello\r\n000\r\n\r\n"),
  };
  for (const std::string& bytes : odd) {
    const Parsed parsed = Parse(bytes);
    EXPECT_EQ(parsed.error, "") << bytes;
    EXPECT_EQ(parsed.requests.size(), 1u) << bytes;
  }
}

TEST(RequestParser, TooLongIsSaidAsSoonAsItIsKnown) {
  const ParserLimits limits{.head_bytes_max = 1000, .body_bytes_max = 100};
  EXPECT_EQ(Parse("GET /" + std::string(1000, 'a'), limits).error_status, 414);
  EXPECT_EQ(
      Parse("GET /" + std::string(990, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits).error_status,
      414);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1000, 'a'), limits).error_status,
            431);
  EXPECT_EQ(Parse(Post("Content-Length: 101\r\n", ""), limits).error_status, 413);
  EXPECT_EQ(Parse(Chunked("65\r\n" + std::string(0x65, 'x')), limits).error_status, 413);
  EXPECT_EQ(Parse(Chunked("ffffffff\r\n" + std::string(101, 'x')), limits).error_status, 413);
  // At the announcement, before a byte of it came.
  EXPECT_EQ(Parse(Chunked("64\r\n"), limits).error_status, 0);
  EXPECT_EQ(Parse(Chunked("65\r\n"), limits).error_status, 413);
  EXPECT_EQ(Parse(Chunked("5\r\nhello\r\n5f\r\n"), limits).error_status, 0);
  EXPECT_EQ(Parse(Chunked("5\r\nhello\r\n60\r\n"), limits).error_status, 413);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 300; ++i) many += "a:\r\n";
  EXPECT_EQ(Parse(many + "\r\n").error_status, 431);
}

TEST(RequestParser, WhatCannotBecomeARequestIsNotWaitedFor) {
  for (const std::string start :
       {"get", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost\r\n", "GET / HTTP/1.1\n", "GET / FTP"}) {
    EXPECT_EQ(Parse(start).error_status, 400) << start;
  }
}

TEST(RequestParser, LimitsAreExact) {
  const ParserLimits limits{.head_bytes_max = 100, .body_bytes_max = 100};
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string full = start + std::string(100 - start.size() - 4, 'x') + "\r\n\r\n";
  ASSERT_EQ(full.size(), 100u);
  EXPECT_EQ(Parse(full + full, limits).requests.size(), 2u);
  const std::string over = start + std::string(100 - start.size() - 3, 'x') + "\r\n\r\n";
  EXPECT_EQ(Parse(over, limits).error_status, 431);
  EXPECT_EQ(Parse(Post("Content-Length: 100\r\n", std::string(100, 'x')), limits).requests.size(),
            1u);
  const std::string hundred = "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(Parse(Chunked(hundred + "0\r\n\r\n"), limits).requests.size(), 1u);
  EXPECT_EQ(Parse(Chunked(hundred + "1\r\nx\r\n0\r\n\r\n"), limits).error_status, 413);
}

TEST(RequestParser, EndlessChunkFramingIsCut) {
  const ParserLimits limits{.head_bytes_max = 100, .body_bytes_max = 100};
  EXPECT_EQ(Parse(Chunked("1;" + std::string(900, 'e') + "\r\nx"), limits).error_status, 413);
  EXPECT_EQ(Parse(Chunked("0\r\nA: " + std::string(100, 'e')), limits).error_status, 431);
}

TEST(RequestParser, OnlyOneExpectationIsKnown) {
  EXPECT_EQ(Parse(Post("Expect: 200-ok\r\nContent-Length: 1\r\n", "")).error_status, 417);
  RequestParser parser({});
  const std::string head = Post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "");
  std::string_view input = head;
  EXPECT_EQ(parser.Next(input), RequestParser::Event::kNeedMore);
  EXPECT_TRUE(parser.WantsContinue());
  const std::string body = "x" + std::string(kBodyPaddingBytes, ' ');
  input = std::string_view(body).substr(0, 1);
  EXPECT_EQ(parser.Next(input), RequestParser::Event::kRequest);
  EXPECT_EQ(parser.request().body, "x");
  EXPECT_FALSE(parser.WantsContinue());
}

TEST(RequestParser, ARequestInOnePieceIsNotCopied) {
  RequestParser parser({});
  const std::string bytes =
      Post("Content-Length: 2\r\n", "{}") + std::string(kBodyPaddingBytes, '\0');
  std::string_view input = std::string_view(bytes).substr(0, bytes.size() - kBodyPaddingBytes);
  ASSERT_EQ(parser.Next(input), RequestParser::Event::kRequest);
  EXPECT_EQ(parser.request().body.data(), bytes.data() + bytes.size() - kBodyPaddingBytes - 2);
  EXPECT_EQ(parser.held_bytes(), 0u);
}

TEST(RequestParser, ReleaseGivesBackWhatTheRequestTook) {
  std::string many;
  for (size_t i = 1; i < kRequestHeadersMax; ++i) many += "X: " + std::to_string(i) + "\r\n";
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n";
  const auto memory = std::make_unique<char[]>(request.size() + kBodyPaddingBytes);
  std::memcpy(memory.get(), request.data(), request.size());
  RequestParser parser({});
  std::string_view start(memory.get(), 100);
  ASSERT_EQ(parser.Next(start), RequestParser::Event::kNeedMore);
  EXPECT_EQ(parser.held_bytes(), 100u);
  EXPECT_EQ(parser.head(), nullptr);
  std::string_view rest(memory.get() + 100, request.size() - 100);
  ASSERT_EQ(parser.Next(rest), RequestParser::Event::kRequest);
  EXPECT_EQ(parser.head(), &parser.request());
  EXPECT_EQ(parser.request().headers.size(), kRequestHeadersMax);
  parser.Release();
  EXPECT_EQ(parser.held_bytes(), 0u);
  EXPECT_EQ(parser.head(), nullptr);
  EXPECT_LE(parser.request().headers.capacity(), 2 * kRequestHeadersReserved);
  std::string_view again(memory.get(), request.size());
  EXPECT_EQ(parser.Next(again), RequestParser::Event::kRequest);
}

}  // namespace
}  // namespace belfry
