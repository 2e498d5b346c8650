#include "delivery/url.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"

namespace belfry {
namespace {

std::string Normal(std::string_view text) {
  const auto url = NormaliseUrl(text);
  return url.ok() ? url.value() : "error: " + url.status().message();
}

// Input and what becomes of it.
const std::vector<std::pair<std::string, std::string>>& Accepted() {
  static const std::vector<std::pair<std::string, std::string>> urls{
      {"https://someserver.com", "https://someserver.com/"},
      {"http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"},
      {"HTTP://ExAmple.COM/Path?Q=A", "http://example.com/Path?Q=A"},
      {"http://h:80/", "http://h/"},
      {"https://h:443/x", "https://h/x"},
      {"https://h:80/x", "https://h:80/x"},
      {"http://h:0081/", "http://h:81/"},
      {"http://h:/", "http://h/"},
      {"http://h./p", "http://h/p"},
      {"http://h?x=1", "http://h/?x=1"},
      {"http://h/p?", "http://h/p"},
      {"http://h/p#frag", "http://h/p"},
      {"http://h/p?x=1#frag?y", "http://h/p?x=1"},
      {"http://h/a/./b/../c", "http://h/a/c"},
      {"http://h/../../x", "http://h/x"},
      {"http://h/a//b/", "http://h/a//b/"},
      {"http://h/%7euser?q=%20+", "http://h/%7euser?q=%20+"},
      {"http://h/k\xc3\xa4se?\xc3\xa4", "http://h/k%c3%a4se?%c3%a4"},
      {"http://a_b.c-d.e1/", "http://a_b.c-d.e1/"},
      {"http://xn--mnchen-3ya.de/", "http://xn--mnchen-3ya.de/"},
      {"http://2130706433/", "http://127.0.0.1/"},
      {"http://0x7f.1/", "http://127.0.0.1/"},
      {"http://0177.0.0.1/", "http://127.0.0.1/"},
      {"http://127.1:81/", "http://127.0.0.1:81/"},
      {"http://127.0.0.1./", "http://127.0.0.1/"},
      {"http://%31%32%37.0.0.1/", "http://127.0.0.1/"},
      {"http://[::1]:8080/p", "http://[::1]:8080/p"},
      {"http://[0:0::0:1]/", "http://[::1]/"},
      {"http://[2001:DB8::A]/", "http://[2001:db8::a]/"},
      {"http://[::ffff:7f00:1]/", "http://[::ffff:127.0.0.1]/"},
      {"http://h/@user", "http://h/@user"},
      {"http://h/?a@b", "http://h/?a@b"},
      {"http://h/:8080", "http://h/:8080"},
  };
  return urls;
}

// URLs put together of pieces, most of them almost plain.
std::string RandomUrl(std::mt19937& random) {
  static const std::vector<std::string> schemes{"http://", "https://", "http://", "HTTP://",
                                                "http:/"};
  static const std::vector<std::string> hosts{
      "h",  "a.example.com", "127.0.0.1", "127.0.0.01", "1.2.3", "0x7f.1", "A.b",      "a..b", "a.",
      "-a", "a_b",           "256.1.1.1", "x.123",      "[::1]", "a@b",    "1.2.3.4.5"};
  static const std::vector<std::string> ports{"",     "",      "",       ":1",     ":80",
                                              ":443", ":8080", ":08080", ":65535", ":65536",
                                              ":0",   ":",     ":9x",    ":123456"};
  static const std::vector<std::string> pieces{
      "/", "/a", "/A9", "/.", "/..", "/.a", "/a.", "//", "/-", "/_",  "/~",   "/%41",   "?",
      "=", "&",  ".",   "a",  "#",   "+",   ";",   ":",  "@",  "%2e", "?a=b", "/%2e%2e"};
  const auto pick = [&random](const auto& from) { return from[random() % from.size()]; };
  std::string url = pick(schemes) + pick(hosts) + pick(ports);
  for (size_t left = random() % 7; left > 0; --left) url += pick(pieces);
  return url;
}

TEST(Url, IsTheSameWhetherCurlParsesItOrNot) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp,cert-msc32-c): the same URLs each time
  int plain = 0;
  for (int i = 0; i < 300'000; ++i) {
    const std::string url = RandomUrl(random);
    const auto parsed = ParseUrl(url);
    const std::string wanted = parsed.ok() ? *parsed : "error: " + parsed.status().message();
    ASSERT_EQ(Normal(url), wanted) << url;
    plain += wanted == url;
  }
  EXPECT_GT(plain, 1000);
}

TEST(Url, IsNormalised) {
  for (const auto& [text, wanted] : Accepted()) {
    const std::string got = Normal(text);
    // Which case curl gives to percent-encoding differs between its releases.
    EXPECT_TRUE(strcasecmp(got.c_str(), wanted.c_str()) == 0) << text << " -> " << got;
  }
}

TEST(Url, NormalisingAgainChangesNothing) {
  for (const auto& [text, unused] : Accepted()) EXPECT_EQ(Normal(Normal(text)), Normal(text));
}

TEST(Url, TheTargetIsTheOneThatCurlSees) {
  for (const auto& [text, unused] : Accepted()) {
    const std::string url = Normal(text);
    CURLU* parsed = curl_url();
    ASSERT_EQ(curl_url_set(parsed, CURLUPART_URL, url.c_str(), 0), CURLUE_OK);
    char* host = nullptr;
    char* port = nullptr;
    ASSERT_EQ(curl_url_get(parsed, CURLUPART_HOST, &host, 0), CURLUE_OK);
    ASSERT_EQ(curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT), CURLUE_OK);
    std::string bare(host);
    if (bare[0] == '[') bare = bare.substr(1, bare.size() - 2);
    const UrlTarget target = TargetOfUrl(url);
    EXPECT_EQ(target.host, bare) << url;
    EXPECT_EQ(std::to_string(target.port), port) << url;
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
  }
}

TEST(Url, WhatIsWrongIsNamed) {
  const std::string scheme = "error: must start with http:// or https://";
  const std::string user = "error: must not contain a user name or a password";
  const std::string host = "error: has a host name that is not valid";
  const std::string port = "error: has a port that is not a number from 1 to 65535";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "error: is empty"},
      {"someserver.com", scheme},
      {"//h/p", scheme},
      {"/p", scheme},
      {"http:h", scheme},
      {"http:/h", scheme},
      {"://h", scheme},
      {"localhost:8080/x", scheme},
      {"http:///h/", "error: has no host"},
      {"http://", "error: has no host"},
      {"http:///", "error: has no host"},
      {"http://?x", "error: has no host"},
      {"http://:80/", "error: has no host"},
      {"ftp://h/", scheme + ", not ftp://"},
      {"FILE:///etc/passwd", scheme + ", not file://"},
      {"gopher://h/", scheme + ", not gopher://"},
      {"javascript://h/", scheme + ", not javascript://"},
      {"http://user@h/", user},
      {"http://user:pw@h/", user},
      {"http://@h/", user},
      {"http://good@127.0.0.1/", user},
      {"http://good#@127.0.0.1/", "http://good/"},
      {"http://a@b@c/", user},
      {"http://h /", "error: contains a space; write %20"},
      {" http://h/", "error: contains a space; write %20"},
      {"http://h/a b", "error: contains a space; write %20"},
      {"http://h/\r\nX: y", "error: contains a control character"},
      {"http://h/\t", "error: contains a control character"},
      {std::string("http://h/\0x", 11), "error: contains a control character"},
      {"http://h/\x7f", "error: contains a control character"},
      {"http://h\\@evil/", "error: contains a backslash"},
      {"http:\\\\h/", "error: contains a backslash"},
      {"http://h:0/", port},
      {"http://h:65536/", port},
      {"http://h:-1/", port},
      {"http://h:8o/", port},
      {"http://h..com/", host},
      {"http://h../", host},
      {"http://./", host},
      {"http://.h/", host},
      {"http://256.1.1.1/", host},
      {"http://1.2.3.4.5/", host},
      {"http://1.2.3.0x100/", host},
      {"http://a.1/", host},
      {"http://99999999999/", host},
      {"http://h*/", host},
      {"http://h%2f@x/", user},
      {"http://h%2fx/", host},
      {"http://h%00x/", host},
      {"http://[::1/", host},
      {"http://[1.2.3.4]/", host},
      {"http://[fe80::1%25eth0]/", "error: must not contain a zone id"},
      {"http://[fe80::1%eth0]/", "error: must not contain a zone id"},
      {"http://m\xc3\xbcnchen.de/", "error: has a host name outside ASCII; write its xn-- form"},
      {"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
       "error: has a host name outside ASCII; write its xn-- form"},
      {"http://127\xe3\x80\x82"
       "0.0.1/",
       "error: has a host name outside ASCII; write its xn-- form"},
      {"http://h/" + std::string(kUrlBytesMax, 'x'), "error: is longer than 8192 bytes"},
      {"http://" + std::string(64, 'x') + ".com/", host},
  };
  for (const auto& [text, wanted] : cases) EXPECT_EQ(Normal(text), wanted) << text;
}

TEST(Url, EncodingMayNotMakeItTooLong) {
  std::string text = "http://h/";
  while (text.size() + 2 <= kUrlBytesMax) text += "\xc3\xa4";
  EXPECT_EQ(Normal(text), "error: is longer than 8192 bytes when encoded");
}

std::string Joined(std::string_view url, TimerId id) {
  std::string out = "what was there before";
  JoinId(url, id, &out);
  return out;
}

TEST(Url, TheIdJoinsThePathWithOneSlash) {
  EXPECT_EQ(Joined("https://h", 7), "https://h/7");
  EXPECT_EQ(Joined("https://h/", 7), "https://h/7");
  EXPECT_EQ(Joined("https://h/s/", 7), "https://h/s/7");
  EXPECT_EQ(Joined("https://h/s", 7), "https://h/s/7");
  EXPECT_EQ(Joined("https://h/q?x=1", 7), "https://h/q/7?x=1");
  EXPECT_EQ(Joined("https://h/q/?x=/&y=?", 7), "https://h/q/7?x=/&y=?");
  EXPECT_EQ(Joined("https://h?x=1", 7), "https://h/7?x=1");
  EXPECT_EQ(Joined("https://h", UINT64_MAX), "https://h/18446744073709551615");
}

}  // namespace
}  // namespace belfry
