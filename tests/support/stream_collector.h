// stream_collector.h - a Responder without connections: keeps what was answered, streamed answers
// too, and gives them room when the test says so. For tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "http/message.h"

namespace belfry {

class StreamCollector final : public Responder {
 public:
  struct Answer {
    std::optional<Response> response;  // of a streamed one the head
    bool streamed = false;
    std::string text;  // what was streamed
    bool ended = false;
    bool cut_off = false;
    StreamOptions stream;
    bool owes_room = false;
    size_t unsent_bytes = 0;
  };

  // For one more request; its answer is at(that.connection).
  ReplyTo New() {
    answers_[++last_];
    return {this, last_, 0};
  }
  Answer& at(const ReplyTo& to) { return answers_[to.connection]; }

  // The client has taken all that came.
  void GiveRoom(const ReplyTo& to) {
    Answer& answer = at(to);
    answer.unsent_bytes = 0;
    if (!std::exchange(answer.owes_room, false) || answer.ended || answer.cut_off) return;
    answer.stream.source->HasRoom(answer.stream.stream);
  }
  // The client goes away.
  void Leave(const ReplyTo& to) {
    const Answer answer = std::move(at(to));
    answers_.erase(to.connection);
    if (answer.streamed && !answer.ended && !answer.cut_off) {
      answer.stream.source->Gone(answer.stream.stream);
    }
  }

  void Respond(const ReplyTo& to, Response response) override {
    EXPECT_FALSE(at(to).response);
    at(to).response = std::move(response);
  }
  void HoldFurther(const ReplyTo&) override {}
  bool Begin(const ReplyTo& to, Response head, StreamOptions options) override {
    if (!answers_.contains(to.connection)) return false;
    Respond(to, std::move(head));
    at(to).streamed = at(to).owes_room = true;
    at(to).stream = options;
    return true;
  }
  bool Write(const ReplyTo& to, std::string_view bytes) override {
    Answer& answer = at(to);
    EXPECT_TRUE(answer.streamed && !answer.ended && !answer.owes_room);
    answer.text += bytes;
    answer.unsent_bytes += bytes.size();
    answer.owes_room = answer.unsent_bytes >= kStreamUnsentBytesMax;
    return !answer.owes_room;
  }
  void End(const ReplyTo& to) override { at(to).ended = true; }
  void CutOff(const ReplyTo& to) override { at(to).cut_off = true; }

 private:
  uint64_t last_ = 0;
  std::map<uint64_t, Answer> answers_;
};

}  // namespace belfry
