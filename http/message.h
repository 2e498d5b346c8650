// message.h - one HTTP request as the parser hands it on, and the response that goes back.
//
// Loop thread only. A Request is made of views: valid only during RequestHandler::Handle. A ReplyTo
// is a plain value that may be kept; the connection behind it may be gone by the time it is used,
// then the response is dropped. Exactly one Respond, or Begin, is due for each ReplyTo.
//
// A streamed answer is begun, written bit by bit while there is room, and ended; see StreamSource.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

// Readable bytes behind every Request::body, so that it can be parsed where it is.
constexpr size_t kBodyPaddingBytes = 64;

enum class Verb : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
// It asks for no change.
[[nodiscard]] constexpr bool IsSafe(Verb verb) {
  return verb == Verb::kGet || verb == Verb::kHead || verb == Verb::kOptions;
}
constexpr int kVerbs = 8;
[[nodiscard]] std::string_view VerbName(Verb verb);

// Who is at the other end of a connection. An IPv4 address is kept as ::ffff:a.b.c.d.
struct Peer {
  bool over_tcp = true;               // false: a Unix socket
  std::array<uint8_t, 16> address{};  // without the port; zeros for a Unix socket
};

struct HeaderField {
  std::string_view name;   // as sent
  std::string_view value;  // without the white space around it
};

struct Request {
  Verb verb = Verb::kOther;
  bool http_1_1 = true;
  bool keep_alive = true;  // what the client wants
  Peer peer;
  std::string_view path;   // not decoded; starts with '/', or is "*"
  std::string_view query;  // behind the first '?', not decoded
  std::string_view
      host;  // of the target in absolute form, else the Host header; "" if there is none
  std::vector<HeaderField> headers;
  std::string_view body;
};

struct HeaderHit {
  std::string_view value;  // of the first one
  int count = 0;
};
// `lower_name` in lower case.
[[nodiscard]] HeaderHit FindHeader(const Request& request, std::string_view lower_name);

enum class ContentType : uint8_t { kNone, kJson, kProblem, kEventStream };

struct Response {
  int status = 200;
  ContentType content_type = ContentType::kJson;
  std::string headers;  // further header lines, each with its CRLF
  std::string body;
};

class Responder;

// Where an answer goes.
struct ReplyTo {
  Responder* responder = nullptr;  // outlives every ReplyTo
  uint64_t connection = 0;
  uint64_t sequence = 0;  // of the request on its connection
};

// Who writes streamed answers. Neither call comes from within one on the Responder.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  // There is room: write. Comes after Begin, and after a Write that left none.
  virtual void HasRoom(uint64_t stream) = 0;
  // The client is gone, or took nothing for too long: no further call on the answer.
  virtual void Gone(uint64_t stream) = 0;
};

struct StreamOptions {
  StreamSource* source = nullptr;  // outlives the Responder's connections
  uint64_t stream = 0;             // handed back to it
  bool endless = false;            // a client that ends its side is gone
};

class Responder {
 public:
  virtual ~Responder() = default;
  virtual void Respond(const ReplyTo& to, Response response) = 0;
  // `head` has no body. False: nothing is wanted behind it (HEAD, or the client is gone), and
  // nothing more is called.
  [[nodiscard]] virtual bool Begin(const ReplyTo& to, Response head, StreamOptions options) = 0;
  // Only while there is room. False: that was the last of it, and HasRoom follows.
  [[nodiscard]] virtual bool Write(const ReplyTo& to, std::string_view bytes) = 0;
  virtual void End(const ReplyTo& to) = 0;
  // Closes the connection, so that the client sees that something is missing. Gone does not follow.
  virtual void CutOff(const ReplyTo& to) = 0;
  // The answer may be long: no further request of its connection is taken before it is given.
  virtual void HoldFurther(const ReplyTo& to) = 0;
};

inline void Respond(const ReplyTo& to, Response response) {
  to.responder->Respond(to, std::move(response));
}

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // May respond before it returns, or any time later on the loop thread.
  virtual void Handle(const Request& request, const ReplyTo& to) = 0;
  // Header lines that every answer to `request` carries whoever makes it, each with its CRLF. Asked
  // before Handle; also for a request that is refused once its head is known, then it has no body.
  [[nodiscard]] virtual std::string CommonHeaders(const Request&) { return {}; }
};

}  // namespace belfry
