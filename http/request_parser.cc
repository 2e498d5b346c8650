#include "http/request_parser.h"

#include <algorithm>

#include "base/check.h"
#include "http/ascii.h"
#include "http/host.h"

namespace belfry {
namespace {

Verb VerbOf(uint8_t method) {
  switch (method) {
    case HTTP_GET:
      return Verb::kGet;
    case HTTP_HEAD:
      return Verb::kHead;
    case HTTP_POST:
      return Verb::kPost;
    case HTTP_PUT:
      return Verb::kPut;
    case HTTP_PATCH:
      return Verb::kPatch;
    case HTTP_DELETE:
      return Verb::kDelete;
    case HTTP_OPTIONS:
      return Verb::kOptions;
    default:
      return Verb::kOther;
  }
}

// What is long gives its memory back, so that an idle connection holds little.
template <typename Row>
void Empty(Row& row, size_t kept_max) {
  if (row.capacity() > kept_max) Row().swap(row);
  row.clear();
}
constexpr size_t kKeptBytesMax = 1024;
constexpr size_t kKeptHeadersMax = 2 * kRequestHeadersReserved;

}  // namespace

RequestParser::RequestParser(ParserLimits limits, const Peer& peer) : limits_(limits) {
  request_.peer = peer;
  llhttp_init(&llhttp_, HTTP_REQUEST, &Settings());
  llhttp_.data = this;
}

const llhttp_settings_t& RequestParser::Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_headers_complete = [](llhttp_t* p) {
      auto& self = *static_cast<RequestParser*>(p->data);
      if (self.stage_ != Stage::kHead) return 0;
      self.headers_done_ = true;
      self.content_length_ = p->content_length;
      self.request_.http_1_1 = p->http_major == 1 && p->http_minor == 1;
      const bool asked_to_keep = self.request_.http_1_1 || (p->flags & F_CONNECTION_KEEP_ALIVE);
      self.request_.keep_alive = asked_to_keep && !(p->flags & F_CONNECTION_CLOSE);
      // An offer to upgrade is declined by going on in HTTP/1.1.
      p->upgrade = 0;
      return 0;
    };
    s.on_chunk_header = [](llhttp_t* p) {
      // The line after the last chunk begins a block that the scanner has to see first.
      if (p->content_length == 0) return static_cast<int>(HPE_PAUSED);
      auto& self = *static_cast<RequestParser*>(p->data);
      self.too_large_ = p->content_length > self.limits_.body_bytes_max - self.body_.size();
      return self.too_large_ ? static_cast<int>(HPE_USER) : 0;
    };
    s.on_body = [](llhttp_t* p, const char* at, size_t length) {
      auto& self = *static_cast<RequestParser*>(p->data);
      CHECK(length <= self.limits_.body_bytes_max - self.body_.size());
      self.body_.append(at, length);
      return 0;
    };
    s.on_message_complete = [](llhttp_t* p) {
      static_cast<RequestParser*>(p->data)->message_done_ = true;
      return 0;
    };
    return s;
  }();
  return settings;
}

RequestParser::Phase RequestParser::phase() const {
  switch (stage_) {
    case Stage::kHead:
      return Phase::kHead;
    case Stage::kSizedBody:
    case Stage::kChunks:
    case Stage::kTrailer:
      return Phase::kBody;
    default:
      return Phase::kIdle;
  }
}

bool RequestParser::WantsContinue() const {
  const bool in_body = stage_ == Stage::kSizedBody || stage_ == Stage::kChunks;
  return in_body && expects_continue_ && body_.empty() && chunk_wire_bytes_ == 0;
}

RequestParser::Event RequestParser::Fail(ProblemKind kind, std::string_view detail) {
  stage_ = Stage::kFailed;
  error_ = {kind, detail};
  return Event::kError;
}

void RequestParser::StartMessage() {
  llhttp_reset(&llhttp_);
  lines_.Reset();
  stage_ = Stage::kIdle;
  placed_head_ = {};
  Empty(head_, kKeptBytesMax);
  Empty(body_, kKeptBytesMax);
  Empty(request_.headers, kKeptHeadersMax);
  request_.body = {};
  content_length_ = 0;
  chunk_wire_bytes_ = 0;
  head_split_ = headers_done_ = message_done_ = false;
  expects_continue_ = absolute_form_ = too_large_ = false;
}

void RequestParser::Release() {
  const bool failed = stage_ == Stage::kFailed;
  StartMessage();
  if (failed) stage_ = Stage::kFailed;
}

RequestParser::Event RequestParser::Next(std::string_view& input) {
  CHECK(stage_ != Stage::kFailed);
  if (stage_ == Stage::kDone) StartMessage();
  if (stage_ == Stage::kIdle || stage_ == Stage::kHead) {
    if (!TakeHead(input)) return Event::kError;
  }
  if (stage_ == Stage::kSizedBody) TakeSizedBody(input);
  if (stage_ == Stage::kChunks && !TakeChunks(input)) return Event::kError;
  if (stage_ == Stage::kTrailer && !TakeTrailer(input)) return Event::kError;
  if (stage_ == Stage::kDone) {
    empty_lines_ = 0;
    return Event::kRequest;
  }
  OwnHead();
  return Event::kNeedMore;
}

// --- the head ------------------------------------------------------------------------------------

bool RequestParser::TakeHead(std::string_view& input) {
  while (!input.empty()) {
    if (stage_ == Stage::kIdle) {
      stage_ = Stage::kHead;
      ++messages_;
    }
    size_t used = 0;
    bool complete = false;
    if (!ScanHead(input, &used, &complete)) return false;
    const std::string_view piece = input.substr(0, used);
    input.remove_prefix(used);
    if (complete && lines_.lines() == 1) {
      if (!DropEmptyLine()) return false;
      continue;
    }
    if (complete && head_.empty()) {
      placed_head_ = piece;
      return FeedHead(piece, true) && FinishHead(piece);
    }
    head_.append(piece);
    if (!FeedHead(std::string_view(head_).substr(head_.size() - used), complete)) return false;
    return !complete || FinishHead(head_);
  }
  return true;
}

bool RequestParser::ScanHead(std::string_view input, size_t* used, bool* complete) {
  const LineScanner::Result result = lines_.Scan(input, used);
  if (result == LineScanner::Result::kBareLineFeed) {
    Fail(ProblemKind::kMalformedRequest, "a line ends without a carriage return");
    return false;
  }
  if (result == LineScanner::Result::kFolded) {
    Fail(ProblemKind::kMalformedRequest, "a line begins with white space");
    return false;
  }
  *complete = result == LineScanner::Result::kEnd;
  if (head_.size() + *used <= limits_.head_bytes_max) return true;
  if (lines_.first_line_bytes() > limits_.head_bytes_max / 2) {
    Fail(ProblemKind::kUriTooLong, "the request line is too long");
  } else {
    Fail(ProblemKind::kHeadersTooLarge, "the headers are too large");
  }
  return false;
}

// RFC 9112, 2.2: a server ignores an empty line or so before the request line.
bool RequestParser::DropEmptyLine() {
  if (++empty_lines_ > kLeadingEmptyLinesMax || head_.size() > 1) {
    Fail(ProblemKind::kMalformedRequest, "the request line is missing");
    return false;
  }
  --messages_;
  StartMessage();
  return true;
}

bool RequestParser::FeedHead(std::string_view piece, bool complete) {
  const llhttp_errno_t error = llhttp_execute(&llhttp_, piece.data(), piece.size());
  if (error != HPE_OK) {
    const char* reason = llhttp_get_error_reason(&llhttp_);
    Fail(ProblemKind::kMalformedRequest, reason == nullptr ? "the head is malformed" : reason);
    return false;
  }
  if (headers_done_ != complete) {
    Fail(ProblemKind::kMalformedRequest, "the head does not end in an empty line");
    return false;
  }
  return true;
}

bool RequestParser::FinishHead(std::string_view head) {
  request_.verb = VerbOf(llhttp_.method);
  if (!SplitHead(head) || !CheckHeaders()) return false;
  if (llhttp_.method == HTTP_CONNECT) {
    Fail(ProblemKind::kMalformedRequest, "this is not a proxy");
    return false;
  }
  if (stage_ == Stage::kHead) {
    stage_ = content_length_ > 0 ? Stage::kSizedBody : Stage::kDone;
  }
  return true;
}

bool RequestParser::SplitHead(std::string_view head) {
  size_t end = head.find("\r\n");
  CHECK(end != std::string_view::npos);
  if (!SplitRequestLine(head.substr(0, end))) return false;
  head.remove_prefix(end + 2);
  request_.headers.clear();
  request_.headers.reserve(kRequestHeadersReserved);
  while ((end = head.find("\r\n")) != 0) {
    CHECK(end != std::string_view::npos);
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
      Fail(ProblemKind::kMalformedRequest, "a header name is malformed");
      return false;
    }
    if (request_.headers.size() == kRequestHeadersMax) {
      Fail(ProblemKind::kHeadersTooLarge, "there are too many headers");
      return false;
    }
    request_.headers.push_back({line.substr(0, colon), TrimBlanks(line.substr(colon + 1))});
  }
  head_split_ = true;
  return true;
}

bool RequestParser::SplitRequestLine(std::string_view line) {
  const std::string_view version = request_.http_1_1 ? " HTTP/1.1" : " HTTP/1.0";
  const std::string_view method = llhttp_method_name(static_cast<llhttp_method>(llhttp_.method));
  if (line.size() > method.size() + 1 + version.size() && line.starts_with(method) &&
      line[method.size()] == ' ' && line.ends_with(version)) {
    line.remove_prefix(method.size() + 1);
    line.remove_suffix(version.size());
    if (std::all_of(line.begin(), line.end(), IsAsciiVisible)) return SplitTarget(line);
  }
  Fail(ProblemKind::kMalformedRequest,
       "the request line is not `METHOD target HTTP/1.1` with single spaces");
  return false;
}

bool RequestParser::SplitTarget(std::string_view target) {
  request_.host = {};
  absolute_form_ = false;
  if (target[0] != '/' && target != "*") {
    const size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon);
    if (colon == std::string_view::npos ||
        !(EqualsIgnoringCase(scheme, "http") || EqualsIgnoringCase(scheme, "https"))) {
      Fail(ProblemKind::kMalformedRequest, "the request target is malformed");
      return false;
    }
    target.remove_prefix(colon + 3);
    request_.host = target.substr(0, target.find_first_of("/?#"));
    absolute_form_ = true;
    target.remove_prefix(request_.host.size());
  }
  if (target.find('#') != std::string_view::npos) {
    Fail(ProblemKind::kMalformedRequest, "the request target has a fragment");
    return false;
  }
  const size_t question = target.find('?');
  request_.path = target.substr(0, question);
  request_.query = question == std::string_view::npos ? "" : target.substr(question + 1);
  if (request_.path.empty()) request_.path = "/";
  return true;
}

bool RequestParser::CheckHeaders() {
  const HeaderField* host = nullptr;
  const HeaderField* transfer_encoding = nullptr;
  int hosts = 0;
  bool has_length = false;
  for (const HeaderField& field : request_.headers) {
    switch (field.name.size()) {
      case 4:
        if (EqualsIgnoringCase(field.name, "host")) {
          host = &field;
          ++hosts;
        }
        break;
      case 6:
        if (EqualsIgnoringCase(field.name, "expect")) expects_continue_ = true;
        break;
      case 14:
        if (EqualsIgnoringCase(field.name, "content-length")) has_length = true;
        break;
      case 17:
        if (!EqualsIgnoringCase(field.name, "transfer-encoding")) break;
        if (transfer_encoding != nullptr) {
          Fail(ProblemKind::kMalformedRequest, "there are two Transfer-Encoding headers");
          return false;
        }
        transfer_encoding = &field;
        break;
      default:
        break;
    }
  }
  return CheckHost(host, hosts) && CheckFraming(transfer_encoding, has_length) && CheckExpect();
}

bool RequestParser::CheckHost(const HeaderField* host, int hosts) {
  if (hosts > 1 || (hosts == 0 && request_.http_1_1)) {
    Fail(ProblemKind::kMalformedRequest, "exactly one Host header is needed");
    return false;
  }
  const bool bad_header = host != nullptr && ClassifyHost(host->value) == HostKind::kInvalid;
  const bool bad_target = absolute_form_ && ClassifyHost(request_.host) == HostKind::kInvalid;
  if (bad_header || bad_target) {
    Fail(ProblemKind::kMalformedRequest, "the host is malformed");
    return false;
  }
  if (!absolute_form_ && host != nullptr) request_.host = host->value;
  return true;
}

bool RequestParser::CheckFraming(const HeaderField* transfer_encoding, bool has_length) {
  if (transfer_encoding != nullptr) {
    if (has_length || !request_.http_1_1 ||
        !EqualsIgnoringCase(transfer_encoding->value, "chunked")) {
      Fail(ProblemKind::kMalformedRequest,
           "the only transfer coding is `chunked`, without a length");
      return false;
    }
    stage_ = Stage::kChunks;
    return true;
  }
  if (content_length_ > limits_.body_bytes_max) {
    Fail(ProblemKind::kBodyTooLarge, "the body is too large");
    return false;
  }
  return true;
}

bool RequestParser::CheckExpect() {
  if (!expects_continue_) return true;
  const HeaderHit expect = FindHeader(request_, "expect");
  if (expect.count > 1 || !EqualsIgnoringCase(expect.value, "100-continue")) {
    Fail(ProblemKind::kExpectationFailed, "the only expectation is `100-continue`");
    return false;
  }
  // HTTP/1.0 does not know it: RFC 9110, 10.1.1.
  expects_continue_ = request_.http_1_1;
  return true;
}

// What was parsed where it lay has to be kept when the rest of the request comes later.
void RequestParser::OwnHead() {
  if (placed_head_.empty()) return;
  const std::string_view host = request_.host;
  const size_t host_at = host.empty() ? 0 : static_cast<size_t>(host.data() - placed_head_.data());
  head_.assign(placed_head_);
  placed_head_ = {};
  const bool split = SplitHead(head_);
  CHECK(split);
  request_.host = std::string_view(head_).substr(host_at, host.size());
}

// --- the body ------------------------------------------------------------------------------------

void RequestParser::TakeSizedBody(std::string_view& input) {
  const size_t missing = content_length_ - body_.size();
  const std::string_view piece = input.substr(0, std::min(missing, input.size()));
  input.remove_prefix(piece.size());
  if (piece.size() == content_length_) {
    request_.body = piece;
    stage_ = Stage::kDone;
    return;
  }
  body_.append(piece);
  if (piece.size() == missing) FinishBody();
}

bool RequestParser::TakeChunks(std::string_view& input) {
  if (input.empty()) return true;
  const llhttp_errno_t error = llhttp_execute(&llhttp_, input.data(), input.size());
  if (too_large_) {
    Fail(ProblemKind::kBodyTooLarge, "the body is too large");
    return false;
  }
  if (error != HPE_OK && error != HPE_PAUSED) {
    Fail(ProblemKind::kMalformedRequest, "the chunked body is malformed");
    return false;
  }
  const char* end = error == HPE_OK ? input.data() + input.size() : llhttp_get_error_pos(&llhttp_);
  const auto used = static_cast<size_t>(end - input.data());
  CHECK(used <= input.size());
  input.remove_prefix(used);
  chunk_wire_bytes_ += used;
  // Chunks of one byte, or with long extensions, must not be a way around the limit.
  if (chunk_wire_bytes_ > limits_.body_bytes_max * kChunkOverheadMax) {
    Fail(ProblemKind::kBodyTooLarge, "the chunks are too small for the body");
    return false;
  }
  if (error == HPE_PAUSED) {
    llhttp_resume(&llhttp_);
    lines_.Reset();
    trailer_bytes_ = 0;
    stage_ = Stage::kTrailer;
  }
  return true;
}

// Trailers are read and dropped; they must be as clean as headers.
bool RequestParser::TakeTrailer(std::string_view& input) {
  if (input.empty()) return true;
  size_t used = 0;
  const LineScanner::Result result = lines_.Scan(input, &used);
  if (result == LineScanner::Result::kBareLineFeed || result == LineScanner::Result::kFolded) {
    Fail(ProblemKind::kMalformedRequest, "the trailer is malformed");
    return false;
  }
  trailer_bytes_ += used;
  if (trailer_bytes_ > limits_.head_bytes_max) {
    Fail(ProblemKind::kHeadersTooLarge, "the trailer is too large");
    return false;
  }
  const bool complete = result == LineScanner::Result::kEnd;
  if (llhttp_execute(&llhttp_, input.data(), used) != HPE_OK || message_done_ != complete) {
    Fail(ProblemKind::kMalformedRequest, "the trailer is malformed");
    return false;
  }
  input.remove_prefix(used);
  if (complete) FinishBody();
  return true;
}

void RequestParser::FinishBody() {
  body_.reserve(body_.size() + kBodyPaddingBytes);
  request_.body = body_;
  stage_ = Stage::kDone;
}

}  // namespace belfry
