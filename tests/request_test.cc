#include "delivery/request.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace belfry {
namespace {

std::vector<std::string> Lines(HeaderList& list) {
  std::vector<std::string> lines;
  for (const curl_slist* node = list.Link(); node != nullptr; node = node->next) {
    lines.emplace_back(node->data);
  }
  return lines;
}

Timer Good() {
  Timer timer;
  timer.id = 7;
  timer.due = WallMs{1795248000123};
  return timer;
}

TEST(Request, CarriesTheContractsHeaders) {
  const Timer timer = Good();
  HeaderList list;
  ASSERT_TRUE(
      BuildHeaders({&timer, 3}, WallMs{1795248001999}, "abcdefghij", "1.2.3", Signer(), list).ok());
  // A name with nothing behind its colon tells curl to leave its own header out.
  const std::vector<std::string> wanted{"Accept:",
                                        "Content-Type:",
                                        "Expect:",
                                        "User-Agent: belfry/1.2.3",
                                        "webhook-id: abcdefghij-7",
                                        "webhook-timestamp: 1795248001",
                                        "webhook-attempt: 3",
                                        "webhook-due: 2026-11-21T08:00:00.123Z"};
  EXPECT_EQ(Lines(list), wanted);
}

TEST(Request, TheTimersHeadersReplaceTheOptionalOnes) {
  Timer timer = Good();
  timer.headers = {{"ACCEPT", "x/y"}, {"Content-type", "a/b"}, {"E", " "}};
  HeaderList list;
  ASSERT_TRUE(BuildHeaders({&timer, 1}, WallMs{0}, "s", "1", Signer(), list).ok());
  const std::vector<std::string> wanted{"Expect:",
                                        "User-Agent: belfry/1",
                                        "webhook-id: s-7",
                                        "webhook-timestamp: 0",
                                        "webhook-attempt: 1",
                                        "webhook-due: 2026-11-21T08:00:00.123Z",
                                        "ACCEPT: x/y",
                                        "Content-type: a/b",
                                        "E;"};
  EXPECT_EQ(Lines(list), wanted);
}

TEST(Request, AListIsUsedAgainWithoutLeftovers) {
  HeaderList list;
  for (int i = 0; i < 100; ++i) list.Add("X-" + std::to_string(i), "v");
  EXPECT_EQ(Lines(list).size(), 100u);
  list.Clear();
  EXPECT_EQ(list.Link(), nullptr);
  list.Add("A", "b");
  EXPECT_EQ(Lines(list), std::vector<std::string>{"A: b"});
}

TEST(Request, TooManyHeadersAreRefused) {
  Timer timer = Good();
  HeaderList list;
  timer.headers.assign(kHeadersMax + 1, {"X", "y"});
  EXPECT_FALSE(BuildHeaders({&timer, 1}, WallMs{0}, "s", "1", Signer(), list).ok());
  timer.headers = {{"X", std::string(kHeaderBytesMax, 'y')}};
  EXPECT_FALSE(BuildHeaders({&timer, 1}, WallMs{0}, "s", "1", Signer(), list).ok());
}

TEST(Request, SignsWhatItSends) {
  Timer timer;
  timer.id = 7;
  timer.body = "{}";
  Signer signer;
  ASSERT_TRUE(signer.Add("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").ok());
  HeaderList list;
  ASSERT_TRUE(
      BuildHeaders({&timer, 1}, WallMs{1614265330'999}, "abcdefghij", "1", signer, list).ok());
  std::string expected = "webhook-signature: ";
  signer.AppendSignatures("abcdefghij-7", "1614265330", "{}", &expected);
  bool found = false;
  for (const curl_slist* line = list.Link(); line != nullptr; line = line->next) {
    found |= line->data == expected;
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace belfry
