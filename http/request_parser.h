// request_parser.h - turns the bytes of one connection into requests, or into one clear error.
//
// Loop thread only. llhttp, without any leniency, judges the syntax; what it lets pass and another
// server might read differently is refused here: bare line feeds, folded lines, anything but one
// space in the request line, other versions, a missing or second Host, transfer codings other than
// `chunked`, fragments. After an error the connection is of no more use.
//
// Invariants: (1) the outcome does not depend on how the bytes were cut into pieces. (2) A request
// that lies in one piece is not copied. (3) No more than the limits is ever held.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "http/line_scanner.h"
#include "http/message.h"
#include "http/problem.h"

namespace belfry {

struct ParserLimits {
  size_t head_bytes_max = kRequestHeadBytesMax;
  size_t body_bytes_max = kRequestBodyBytesMax;
};

struct ParseError {
  ProblemKind kind = ProblemKind::kMalformedRequest;
  std::string_view detail;  // a literal
};

class RequestParser {
 public:
  enum class Event {
    kNeedMore,  // `input` is used up
    kRequest,   // request() is complete; call Next again with what is left of `input`
    kError,     // error() says why; do not call Next again
  };
  enum class Phase { kIdle, kHead, kBody };  // between requests, or inside one

  explicit RequestParser(ParserLimits limits, const Peer& peer = {});
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes bytes off the front of `input`, behind which kBodyPaddingBytes can be read.
  [[nodiscard]] Event Next(std::string_view& input);

  // After kRequest; its views hold until the next call, and while the bytes of `input` do.
  [[nodiscard]] const Request& request() const { return request_; }
  // The same without its body, after an error too; nullptr when no head was understood so far.
  [[nodiscard]] const Request* head() const { return head_split_ ? &request_ : nullptr; }
  // The views are done with: gives back what the request took. After an error no other call
  // follows.
  void Release();
  [[nodiscard]] const ParseError& error() const { return error_; }
  [[nodiscard]] Phase phase() const;
  // Requests begun so far.
  [[nodiscard]] uint64_t messages() const { return messages_; }
  // The client waits for `100 Continue` before it sends the body.
  [[nodiscard]] bool WantsContinue() const;
  // Nothing of the next request was taken, but for empty lines in front of it.
  [[nodiscard]] bool idle() const {
    return stage_ == Stage::kIdle ||
           (stage_ == Stage::kHead && head_.find_first_not_of("\r\n") == std::string::npos);
  }
  // Bytes held; 0 after Release.
  [[nodiscard]] size_t held_bytes() const { return head_.size() + body_.size(); }
  // Bytes of the body that came so far, without what chunks add.
  [[nodiscard]] size_t body_bytes() const { return body_.size(); }

 private:
  enum class Stage { kIdle, kHead, kSizedBody, kChunks, kTrailer, kDone, kFailed };
  static const llhttp_settings_t& Settings();

  void StartMessage();
  Event Fail(ProblemKind kind, std::string_view detail);
  bool TakeHead(std::string_view& input);
  bool DropEmptyLine();
  bool ScanHead(std::string_view input, size_t* used, bool* complete);
  bool FeedHead(std::string_view piece, bool complete);
  bool FinishHead(std::string_view head);
  bool SplitHead(std::string_view head);
  bool SplitRequestLine(std::string_view line);
  bool SplitTarget(std::string_view target);
  bool CheckHeaders();
  bool CheckFraming(const HeaderField* transfer_encoding, bool has_length);
  bool CheckHost(const HeaderField* host, int hosts);
  bool CheckExpect();
  void TakeSizedBody(std::string_view& input);
  bool TakeChunks(std::string_view& input);
  bool TakeTrailer(std::string_view& input);
  void FinishBody();
  void OwnHead();

  const ParserLimits limits_;
  llhttp_t llhttp_;
  LineScanner lines_;
  Stage stage_ = Stage::kIdle;
  Request request_;
  ParseError error_;
  std::string head_;              // the head, unless it lies in the input
  std::string_view placed_head_;  // the head, where it lies in the input
  std::string body_;              // the body, unless it lies in the input
  uint64_t content_length_ = 0;
  size_t chunk_wire_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  uint64_t messages_ = 0;
  int empty_lines_ = 0;
  bool head_split_ = false;    // `request_` tells the whole head
  bool headers_done_ = false;  // llhttp says so
  bool message_done_ = false;  // llhttp says so
  bool expects_continue_ = false;
  bool absolute_form_ = false;
  bool too_large_ = false;  // a chunk was announced that is
};

}  // namespace belfry
