// event_client.h - a client of GET /api/stopwatch/events, over loopback. For tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/http_api_rig.h"
#include "tests/support/http_chunks.h"

namespace belfry {

struct Event {
  std::string name;
  std::string data;
  std::string id;
};

// One client of the stream, which understands it as a browser does.
class EventClient {
 public:
  EventClient(HttpApiRig& rig, std::string_view query, std::string_view headers = "")
      : rig_(rig), client_(*rig.http) {
    client_.Send(Get("/api/stopwatch/events?" + std::string(query), headers));
  }
  // All that came, once `count` are there or the stream is over.
  std::vector<Event> Events(size_t count) {
    rig_.http->RunUntil([&] { return Parse().size() >= count || over(); });
    return Parse();
  }
  // What came by the time that nothing more happens.
  std::vector<Event> Now() {
    rig_.http->RunTurns(50);
    return Parse();
  }
  std::string Head() {
    rig_.http->RunUntil([&] { return client_.Received().find("\r\n\r\n") != std::string::npos; });
    return client_.Received().substr(0, client_.Received().find("\r\n\r\n") + 4);
  }
  size_t Comments() {
    rig_.http->RunTurns(50);
    size_t comments = 0;
    for (const std::string& line : Lines()) comments += line.starts_with(": server_now ") ? 1 : 0;
    return comments;
  }
  bool over() { return ReadChunks(client_.Received()).ended || client_.ended; }
  bool ended_in_order() { return ReadChunks(client_.Received()).ended; }
  HttpClient& client() { return client_; }
  std::string Text() { return ReadChunks(client_.Received()).text; }

 private:
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    const std::string text = Text();
    for (size_t at = 0, end = text.find('\n'); end != std::string::npos;
         at = end + 1, end = text.find('\n', at)) {
      lines.push_back(text.substr(at, end - at));
    }
    return lines;
  }
  std::vector<Event> Parse() {
    std::vector<Event> events;
    Event event;
    for (const std::string& line : Lines()) {
      if (line.empty()) {
        if (!event.name.empty()) events.push_back(event);
        event = {};
      } else if (line.starts_with("event: ")) {
        event.name = line.substr(7);
      } else if (line.starts_with("data: ")) {
        event.data += line.substr(6);
      } else if (line.starts_with("id: ")) {
        event.id = line.substr(4);
      }
    }
    return events;
  }

  HttpApiRig& rig_;
  HttpClient client_;
};

}  // namespace belfry
