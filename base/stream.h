// stream.h - stream slots: leases that say who plays what, at most so many of one user at once.
//
// Plain values; any thread. A user is a name inside a tenant. A lease is alive until its
// expires_at; whoever decides compares that with the `now` of its op, so all decisions of one user
// agree whatever the clock does.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/time.h"

namespace belfry {

// A UUID as its 16 bytes.
struct StreamId {
  std::array<uint8_t, 16> bytes{};
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

// Of version 4, from 128 random bits.
[[nodiscard]] StreamId UuidV4(uint64_t high, uint64_t low);
// "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
[[nodiscard]] std::string FormatUuid(const StreamId& id);
// Letters of either case; nullopt for anything else than the 36 characters above.
[[nodiscard]] std::optional<StreamId> ParseUuid(std::string_view text);

struct Lease {
  std::string content;  // what is played; "": not said
  WallMs started_at;
  WallMs expires_at;      // at most its ttl from the latest start or renewal on
  int64_t ttl_ms = 0;     // each renewal makes it last so long from then on
  TimerId fencing = 0;    // greater than that of every lease started before; also the id of its
                          // deadline
  std::string on_expire;  // the URL called when it lapses, as Timer::url; "": none
  friend bool operator==(const Lease&, const Lease&) = default;
};

struct StreamUser {
  std::optional<uint32_t> limit;  // nullopt: streams.limit
  WallMs last_online;             // when the last stream ended or lapsed; 0: none did yet
  std::vector<StreamId> streams;  // those that are not ended nor known to have lapsed, oldest first
  friend bool operator==(const StreamUser&, const StreamUser&) = default;
};

// As clients see them.
struct StreamView {
  StreamId id;
  std::string content;
  WallMs started_at;
  WallMs expires_at;
  friend bool operator==(const StreamView&, const StreamView&) = default;
};
struct UserView {
  std::string user;
  std::optional<uint32_t> limit;
  WallMs last_online;               // 0: none; meaningless while a stream is active
  std::vector<StreamView> streams;  // active ones, oldest first
  friend bool operator==(const UserView&, const UserView&) = default;
};
struct UserPage {
  std::vector<UserView> users;            // by name, in the order of its bytes
  std::optional<std::string> next_after;  // set when there may be more
};

// The body of the call that tells of a lapse.
[[nodiscard]] std::string ExpiryBody(std::string_view user, const StreamId& id, const Lease& lease);

}  // namespace belfry
