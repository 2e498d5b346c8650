// one_answer.h - a Responder for one request: takes the one answer that is waited for.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string_view>
#include <utility>

#include "http/message.h"

namespace belfry {

// Streamed or not.
class OneAnswer final : public Responder {
 public:
  void Respond(const ReplyTo&, Response response) override {
    EXPECT_FALSE(answer);
    answer = std::move(response);
    whole = true;
  }
  void HoldFurther(const ReplyTo&) override {}
  bool Begin(const ReplyTo&, Response head, StreamOptions options) override {
    EXPECT_FALSE(answer);
    answer = std::move(head);
    source = options.source;
    stream = options.stream;
    return true;
  }
  bool Write(const ReplyTo&, std::string_view bytes) override {
    answer->body.append(bytes);
    return true;
  }
  void End(const ReplyTo&) override {
    whole = true;
    source = nullptr;
  }
  void CutOff(const ReplyTo&) override { ADD_FAILURE() << "an answer was cut off"; }

  std::optional<Response> answer;
  bool whole = false;
  StreamSource* source = nullptr;  // of what is streamed and has not ended
  uint64_t stream = 0;
};

}  // namespace belfry
