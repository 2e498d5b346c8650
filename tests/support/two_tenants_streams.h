// two_tenants_streams.h - event streams of two users who share names of stopwatches, and what
// neither may ever hear. Part of two_tenants_streams_test.cc.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/stream_collector.h"

namespace belfry {

class TwoTenantsStreams {
 public:
  using Names = std::set<std::string>;
  struct Wish {
    Names names;
    bool own = false;
    std::string last_event_id;  // "": none
  };

  // `user_names` are those of user 0 and 1; `run` stands in every id.
  TwoTenantsStreams(std::array<std::string, 2> user_names, uint64_t run)
      : user_names_(std::move(user_names)), run_(std::to_string(run) + "-") {}

  // --- what happens ------------------------------------------------------------------------------
  void Started(size_t user, const std::string& name) {
    const bool creates = owned_since_[user].emplace(name, log_.size() + 1).second;
    log_.push_back({creates ? "created" : "reset", user, name});
  }
  void Deleted(size_t user, const std::string& name) {
    if (owned_since_[user].erase(name) > 0) log_.push_back({"deleted", user, name});
  }

  // --- the streams -------------------------------------------------------------------------------
  [[nodiscard]] size_t open() const { return streams_.size(); }
  [[nodiscard]] std::string IdOf(uint64_t number) const { return run_ + std::to_string(number); }
  [[nodiscard]] uint64_t changes() const { return log_.size(); }
  // The last that any stream of this user told.
  [[nodiscard]] const std::string& last_id(size_t user) const { return last_ids_[user]; }

  // `ask` sends the request, and lets happen what happens then. False: it was refused, as it must
  // be when one of the names is not owned.
  bool Open(size_t user, const Wish& wish, const std::function<void(const ReplyTo&)>& ask) {
    Stream stream{collector_.New(), user, wish, {}, {}, 0, false};
    ask(stream.to);
    bool owns_all = true;
    for (const std::string& name : wish.names) {
      const auto owned = owned_since_[user].find(name);
      if (owned == owned_since_[user].end()) {
        owns_all = false;
      } else {
        stream.owned_since.insert(*owned);
      }
    }
    const auto& answer = collector_.at(stream.to);
    if (!answer.response) {
      ADD_FAILURE() << "no answer";
      return false;
    }
    EXPECT_EQ(answer.response->status, owns_all ? 200 : 403);
    if (!answer.streamed) {
      if (refused_.empty()) refused_ = answer.response->body;
      EXPECT_EQ(answer.response->body, refused_) << "it says whether somebody has one";
      return false;
    }
    streams_.push_back(std::move(stream));
    return true;
  }
  void CloseOldest() {
    collector_.Leave(streams_.front().to);
    streams_.pop_front();
  }
  // The clients take what there is.
  void GiveRoom() {
    for (const Stream& stream : streams_) collector_.GiveRoom(stream.to);
  }
  // Looks at all that has come since. Everything that happened was sent.
  void Check() {
    for (Stream& stream : streams_) {
      const auto& answer = collector_.at(stream.to);
      size_t end = answer.text.find("\n\n", stream.read);
      for (; end != answer.text.npos; end = answer.text.find("\n\n", stream.read)) {
        CheckEvent(stream, answer.text.substr(stream.read, end + 1 - stream.read));
        stream.read = end + 2;
      }
      const bool must_end = !stream.wish.own && stream.gave_up == stream.wish.names;
      EXPECT_EQ(answer.ended, must_end);
    }
    std::erase_if(streams_, [&](const Stream& stream) {
      const auto& answer = collector_.at(stream.to);
      return answer.ended || answer.cut_off;
    });
  }

  uint64_t heard_of_other = 0;
  uint64_t resumed = 0;
  uint64_t resyncs = 0;

 private:
  struct Change {
    std::string kind;
    size_t user;
    std::string name;
    friend bool operator==(const Change&, const Change&) = default;
  };
  struct Stream {
    ReplyTo to;
    size_t user;
    Wish wish;
    std::map<std::string, uint64_t> owned_since;  // of its names, when it was opened
    Names gave_up;
    size_t read;
    bool has_snapshot;
  };

  static std::string Member(std::string_view json, std::string_view key) {
    const std::string quoted = "\"" + std::string(key) + "\":\"";
    const size_t at = json.find(quoted);
    if (at == json.npos) return "";
    const size_t begin = at + quoted.size();
    return std::string(json.substr(begin, json.find('"', begin) - begin));
  }
  static std::string Line(const std::string& event, std::string_view field) {
    const size_t at = ("\n" + event).find("\n" + std::string(field) + ": ");
    if (at == event.npos) return "";
    const size_t begin = at + field.size() + 2;
    return event.substr(begin, event.find('\n', begin) - begin);
  }
  // Of a user's name that stands in an event.
  size_t UserNamed(const std::string& name) const {
    if (name != user_names_[0] && name != user_names_[1]) ADD_FAILURE() << "user " << name;
    return name == user_names_[0] ? 0 : 1;
  }

  // The rule: of the other user only what they did with a name that this one asked for, while this
  // one owned it.
  void CheckEvent(Stream& stream, const std::string& text) {
    if (text.starts_with(":")) return;
    const std::string kind = Line(text, "event");
    const std::string data = Line(text, "data");
    const std::string id = Line(text, "id");
    if (kind == "resync") {
      ++resyncs;
      EXPECT_FALSE(stream.wish.last_event_id.empty());
      return;
    }
    if (!id.empty()) last_ids_[stream.user] = id;
    if (kind == "snapshot") {
      stream.has_snapshot = true;
      return CheckSnapshot(stream, text);
    }
    const Change change{kind, UserNamed(Member(data, "user")), Member(data, "name")};
    const bool mine = change.user == stream.user;
    const bool asked = stream.wish.names.contains(change.name);
    EXPECT_TRUE(asked || (mine && stream.wish.own)) << text;
    uint64_t number = 0;
    if (!id.empty()) {
      EXPECT_TRUE(id.starts_with(run_));
      number = std::stoull(id.substr(run_.size()));
      ASSERT_LE(number, log_.size());
      EXPECT_EQ(log_[number - 1], change) << text;
    }
    if (!mine) {
      ++heard_of_other;
      EXPECT_FALSE(stream.gave_up.contains(change.name)) << text;
      if (number > 0) {
        EXPECT_GT(number, stream.owned_since[change.name]) << text;
      }
    }
    if (mine && kind == "deleted" && asked) stream.gave_up.insert(change.name);
    if (!stream.has_snapshot) ++resumed;
  }

  // Nothing happens while it is read.
  void CheckSnapshot(const Stream& stream, const std::string& text) {
    std::multiset<std::pair<size_t, std::string>> has;
    for (size_t at = text.find('{'); at != text.npos; at = text.find('{', at + 1)) {
      const std::string row = text.substr(at, text.find('}', at) - at);
      has.emplace(UserNamed(Member(row, "user")), Member(row, "name"));
    }
    std::multiset<std::pair<size_t, std::string>> wanted;
    for (size_t user = 0; user < 2; ++user) {
      for (const auto& [name, since] : owned_since_[user]) {
        const bool own = stream.wish.own && user == stream.user;
        if (own || stream.wish.names.contains(name)) wanted.emplace(user, name);
      }
    }
    EXPECT_EQ(has, wanted) << text;
  }

  const std::array<std::string, 2> user_names_;
  const std::string run_;
  std::vector<Change> log_;  // the first has the number 1
  std::array<std::map<std::string, uint64_t>, 2> owned_since_;
  std::array<std::string, 2> last_ids_;
  std::string refused_;
  StreamCollector collector_;
  std::deque<Stream> streams_;
};

}  // namespace belfry
