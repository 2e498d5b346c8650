// reply_reader.h - finds the end of a reply in what a connection reads, and says whether it is
// good.
//
// One thread, one connection, one request under way at a time.
#pragma once

#include <llhttp.h>

#include <memory>
#include <string>
#include <string_view>

namespace belfry {

class ReplyReader {
 public:
  enum class Verdict {
    kMore,    // not complete yet
    kGood,    // complete, and what was hoped for
    kBad,     // complete, but a refusal
    kBroken,  // not the protocol, or more than was asked for: nothing can be read after it
  };
  virtual ~ReplyReader() = default;
  virtual Verdict Take(std::string_view bytes) = 0;
  // What was read of the reply so far, or of the last complete one; for error messages.
  [[nodiscard]] const std::string& text() const { return text_; }

 protected:
  std::string text_;
  bool complete_ = false;  // the next byte starts a new reply
};

// A reply is `lines` line breaks. Good when `expected` occurs in it.
class LinesReader final : public ReplyReader {
 public:
  LinesReader(size_t lines, std::string expected) : lines_(lines), expected_(std::move(expected)) {}
  Verdict Take(std::string_view bytes) override;

 private:
  const size_t lines_;
  const std::string expected_;
  size_t seen_ = 0;
};

// An HTTP/1.1 response that keeps the connection open. Good when the status is 2xx.
class HttpReader final : public ReplyReader {
 public:
  HttpReader();
  HttpReader(const HttpReader&) = delete;
  HttpReader& operator=(const HttpReader&) = delete;
  Verdict Take(std::string_view bytes) override;

 private:
  llhttp_settings_t settings_;
  llhttp_t parser_;
  bool ended_ = false;
};

}  // namespace belfry
