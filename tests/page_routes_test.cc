#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/http_api_rig.h"
#include "web/assets.h"

namespace belfry {
namespace {

std::string HeaderOf(const std::string& response, const std::string& name) {
  const size_t at = response.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t from = at + name.size() + 4;
  return response.substr(from, response.find("\r\n", from) - from);
}

TEST(PageRoutes, EveryAssetIsServedWithItsTypeAndRevalidated) {
  HttpApiRig rig;
  EXPECT_GE(Assets().size(), 10u);
  for (const Asset& asset : Assets()) {
    const std::string response = rig.Ask(Get(asset.path));
    EXPECT_EQ(StatusLine(response), "HTTP/1.1 200 OK") << asset.path;
    EXPECT_EQ(HeaderOf(response, "Content-Type"), asset.content_type);
    EXPECT_EQ(HeaderOf(response, "Content-Length"), std::to_string(asset.bytes.size()));
    EXPECT_EQ(HeaderOf(response, "ETag"), asset.etag);
    EXPECT_TRUE(HasLine(response, "Cache-Control: no-cache"));
    EXPECT_TRUE(HasLine(response, "X-Content-Type-Options: nosniff"));
    EXPECT_TRUE(HasLine(response, "Referrer-Policy: no-referrer"));
    EXPECT_EQ(BodyOf(response), asset.bytes);
    EXPECT_FALSE(asset.bytes.empty());
  }
}

TEST(PageRoutes, EtagsDifferFromAssetToAsset) {
  std::vector<std::string_view> etags;
  for (const Asset& asset : Assets()) etags.push_back(asset.etag);
  std::sort(etags.begin(), etags.end());
  EXPECT_EQ(std::unique(etags.begin(), etags.end()), etags.end());
}

TEST(PageRoutes, WhatTheClientHasIsNotSentAgain) {
  HttpApiRig rig;
  const std::string etag = HeaderOf(rig.Ask(Get("/docs")), "ETag");
  for (const std::string& named :
       {etag, "W/" + etag, "\"other\", " + etag, "\"a\" ,W/" + etag + " ", std::string("*")}) {
    const std::string response = rig.Ask(Get("/docs", "If-None-Match: " + named + "\r\n"));
    EXPECT_EQ(StatusLine(response), "HTTP/1.1 304 Not Modified") << named;
    EXPECT_EQ(HeaderOf(response, "ETag"), etag);
    EXPECT_EQ(HeaderOf(response, "Content-Length"), "");
    EXPECT_EQ(HeaderOf(response, "Content-Type"), "");
    EXPECT_EQ(BodyOf(response), "");
  }
  for (const std::string& named :
       {std::string("\"other\""), std::string(""), etag.substr(0, 8), "x" + etag}) {
    const std::string response = rig.Ask(Get("/docs", "If-None-Match: " + named + "\r\n"));
    EXPECT_EQ(StatusLine(response), "HTTP/1.1 200 OK") << named;
  }
}

TEST(PageRoutes, HeadTellsTheLengthAlone) {
  HttpApiRig rig;
  const std::string whole = rig.Ask(Get("/openapi.yaml"));
  rig.client->Send("HEAD /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n" + Get("/health"));
  rig.http->RunUntil([&] { return rig.client->Received().ends_with("{\"status\":\"ok\"}"); });
  const std::string both = rig.client->Received().substr(whole.size());
  const std::string head = both.substr(0, both.find("\r\n\r\n") + 4);
  EXPECT_EQ(StatusLine(head), "HTTP/1.1 200 OK");
  EXPECT_EQ(HeaderOf(head, "Content-Length"), HeaderOf(whole, "Content-Length"));
  EXPECT_EQ(both.substr(head.size(), 15), "HTTP/1.1 200 OK");
}

TEST(PageRoutes, PagesLoadNothingFromElsewhereAndRunNoInlineScript) {
  HttpApiRig rig;
  int pages = 0;
  for (const Asset& asset : Assets()) {
    if (!asset.content_type.starts_with("text/html")) continue;
    ++pages;
    const std::string policy = HeaderOf(rig.Ask(Get(asset.path)), "Content-Security-Policy");
    for (const std::string_view rule :
         {"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
          "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}) {
      EXPECT_NE(policy.find(rule), std::string::npos) << rule;
    }
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(policy.find("http"), std::string::npos);
    for (const std::string_view inlined :
         {"<script>", "<style", " style=\"", " onclick=", "javascript:", "src=\"http",
          "<link rel=\"stylesheet\" "
          "href=\"http",
          "@import"}) {
      EXPECT_EQ(asset.bytes.find(inlined), std::string_view::npos) << asset.path << inlined;
    }
  }
  EXPECT_EQ(pages, 2);
}

TEST(PageRoutes, ParametersBodiesAndOtherMethodsAreRefused) {
  HttpApiRig rig;
  EXPECT_EQ(StatusLine(rig.Ask(Get("/docs?x=1"))), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/docs/"))), "HTTP/1.1 404 Not Found");
  const std::string refused = rig.Ask(PostJson("/docs", "{}"));
  EXPECT_EQ(StatusLine(refused), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(HeaderOf(refused, "Allow"), "GET, HEAD");
}

TEST(PageRoutes, TheDocsNameEveryRouteOfTheApi) {
  HttpApiRig rig;
  const std::string docs = BodyOf(rig.Ask(Get("/docs")));
  for (const std::string_view route : {"/timers/{id}/retry", "/targets/pause", "/ready"}) {
    EXPECT_NE(docs.find("<code>" + std::string(route) + "</code>"), std::string::npos) << route;
  }
  EXPECT_NE(docs.find("id=\"timerFired\""), std::string::npos);
  // Each link within the page leads somewhere.
  for (size_t at = 0; (at = docs.find("href=\"#", at)) != std::string::npos; ++at) {
    const std::string anchor = docs.substr(at + 7, docs.find('"', at + 7) - at - 7);
    EXPECT_NE(docs.find(" id=\"" + anchor + "\""), std::string::npos) << anchor;
  }
}

}  // namespace
}  // namespace belfry
