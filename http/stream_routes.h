// stream_routes.h - /users: who may have how many streams at once, and the streams they have.
//
// Loop thread only. Registered once; outlives the router.
//
//   POST   /users                    {"userId":"johndoe","limit":3}: 201, or 409
//   GET    /users                    array by userId; limit (1 to 1000, default 100), after (a
//                                    userId). The next page is in Link
//   GET    /users/{userId}           {"userId","limit","active","watching","lastOnline"}
//   DELETE /users/{userId}           204, and their streams end
//   POST   /users/{userId}/streams   201 {"streamId","active","limit"}, and `evicted` when some
//                                    were ended for it; or 409 with `limit`, `active`, `streams`
//   GET    /users/{userId}/streams   {"count","limit","streams"}
//   PUT    /users/{userId}/streams/{streamId}   200 {"expiresAt"}: it lasts its ttl from now on
//   DELETE /users/{userId}/streams/{streamId}   204, also when it is gone
//
// A user that is not there is a 404, but a start makes one unless streams.require_user.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "http/reply_table.h"
#include "http/router.h"
#include "http/stream_json.h"
#include "scheduler/streams.h"

namespace belfry {

class StreamRoutes {
 public:
  // `streams`, `replies` and `clock` outlive this.
  StreamRoutes(Streams& streams, ReplyTable& replies, const Clock& clock,
               NormaliseUrlFn normalise_url, int64_t default_ttl_ms);

  void Register(Router& router);

 private:
  void PutUser(const Call& call);
  void ListUsers(const Call& call);
  void FindUser(const Call& call, ReplyTable::RenderFn render);
  void DeleteUser(const Call& call);
  void Start(const Call& call);
  void Renew(const Call& call);
  void End(const Call& call);

  Streams& streams_;
  ReplyTable& replies_;
  const Clock& clock_;
  StreamReader reader_;
};

}  // namespace belfry
