#include "storage/stream_reads.h"

#include <algorithm>

#include "base/limits.h"
#include "storage/keys.h"
#include "storage/stream_rows.h"

namespace belfry {
namespace {

Status Damaged(std::string_view user, const Status& why) {
  return Corruption("a stream of user " + std::string(user) + ": " + why.message());
}

Result<UserView> ViewOf(const KvView& view, TenantId tenant, std::string_view name,
                        const StreamUser& user, WallMs now) {
  UserView out;
  out.user = name;
  out.limit = user.limit;
  out.last_online = user.last_online;
  for (const StreamId& id : user.streams) {
    const std::string key = StreamKey(StreamRow::kLease, tenant, name, id);
    const Result<Found> found = view.Get(Cf::kStream, key);
    if (!found.ok()) return found.status();
    if (!*found) return Damaged(name, Corruption("its lease is not there"));
    const Result<Lease> lease = DecodeLease(key, **found);
    if (!lease.ok()) return Damaged(name, lease.status());
    if (lease->expires_at <= now) {
      out.last_online = std::max(out.last_online, lease->expires_at);
    } else {
      out.streams.push_back({id, lease->content, lease->started_at, lease->expires_at});
    }
  }
  return out;
}

// `examined`: how many rows that took.
Result<UserView> ViewOf(const KvView& view, std::string_view key, std::string_view value,
                        WallMs now, size_t* examined) {
  const std::optional<StreamName> name = ParseStreamKey(key);
  if (!name) return Corruption("stream holds a key that does not parse");
  const Result<StreamUser> user = DecodeUser(key, value);
  if (!user.ok()) return Damaged(name->user, user.status());
  *examined += 1 + user->streams.size();
  return ViewOf(view, name->tenant, name->user, *user, now);
}

size_t MemoryBytes(const UserView& user) {
  size_t bytes = sizeof user + user.user.capacity();
  for (const StreamView& stream : user.streams) bytes += sizeof stream + stream.content.capacity();
  return bytes;
}

}  // namespace

Result<std::optional<UserView>> FindUser(const Kv& kv, const UserQuery& query) {
  const auto view = kv.View();
  const std::string key = StreamKey(StreamRow::kUser, query.tenant, query.user);
  const Result<Found> found = view->Get(Cf::kStream, key);
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<UserView>();
  size_t examined = 0;
  Result<UserView> user = ViewOf(*view, key, **found, query.now, &examined);
  if (!user.ok()) return user.status();
  return std::optional<UserView>(std::move(*user));
}

Result<UserPage> ListUsers(const Kv& kv, const UsersQuery& query, const std::atomic<bool>* stop) {
  const auto limit = static_cast<size_t>(std::clamp(query.limit, 1, kPageMax));
  // Names are UTF-8, so none begins with this byte; and behind the key of a name there is no other
  // before the next name's.
  const std::string end =
      std::string(ShortKey().U8(static_cast<uint8_t>(StreamRow::kUser)).U32(query.tenant)) + '\xff';
  std::string from = StreamKey(StreamRow::kUser, query.tenant, query.after);
  if (!query.after.empty()) from += '\0';
  const auto view = kv.View();
  const auto rows = view->Scan(Cf::kStream, from, end);
  UserPage page;
  size_t examined = 0;
  size_t bytes = 0;
  for (; rows->Valid(); rows->Next()) {
    if (stop != nullptr && *stop) return Status(StatusCode::kUnavailable, "stopping");
    if (page.users.size() >= limit || examined >= kPageExaminedMax || bytes >= kPageBytesMax) {
      page.next_after = page.users.back().user;
      return page;
    }
    Result<UserView> user = ViewOf(*view, rows->key(), rows->value(), query.now, &examined);
    if (!user.ok()) return user.status();
    bytes += MemoryBytes(*user);
    page.users.push_back(std::move(*user));
  }
  if (!rows->status().ok()) return rows->status();
  return page;
}

}  // namespace belfry
