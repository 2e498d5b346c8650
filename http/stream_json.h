// stream_json.h - the bodies of /users and of its streams, read strictly and written. Loop thread
// only.
//
//   user    userId (a name, needed), limit (1 to kStreamLimitMax)
//   stream  content (1 to kStreamContentCodePointsMax characters), ttl (a duration), on_expire
//           {"url"}, policy (`reject` or `evict_oldest`); all optional
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/op.h"
#include "base/stream.h"
#include "http/problem.h"
#include "http/timer_json.h"

namespace belfry {

class JsonBody;

struct UserWish {
  std::string user;
  std::optional<uint32_t> limit;
};

class StreamReader {
 public:
  StreamReader(NormaliseUrlFn normalise_url, int64_t default_ttl_ms);
  ~StreamReader();

  [[nodiscard]] std::variant<UserWish, BodyError> ReadUser(std::string_view body);
  // Content, ttl, on_expire and policy; the rest is left to others. "" is `{}`.
  [[nodiscard]] std::variant<StreamStart, BodyError> ReadStart(std::string_view body);

 private:
  const NormaliseUrlFn normalise_url_;
  const int64_t default_ttl_ms_;
  const std::unique_ptr<JsonBody> json_;
};

// {"userId","limit","active","watching","lastOnline"}
void AppendUser(std::string& out, const UserView& user, uint32_t default_limit);
// [{"streamId","content","startedAt","expiresAt"}], oldest first; content null: not said.
void AppendStreams(std::string& out, const std::vector<StreamView>& streams);

}  // namespace belfry
