#include <algorithm>
#include <string>

#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/salvage_streams.h"
#include "storage/stream_rows.h"

namespace belfry {
namespace {

constexpr std::string_view kEnd{"\xff", 1};  // behind every key

Status CheckUser(const KvView& view, const StreamName& name, std::string_view key,
                 std::string_view value) {
  const Result<StreamUser> user = DecodeUser(key, value);
  if (!user.ok()) return user.status();
  for (const StreamId& id : user->streams) {
    const std::string lease_key = StreamKey(StreamRow::kLease, name.tenant, name.user, id);
    const Result<Found> lease = view.Get(Cf::kStream, lease_key);
    if (!lease.ok()) return lease.status();
    if (!*lease) return Corruption("a stream has no lease");
  }
  return {};
}

Status CheckDeadline(const KvView& view, const Lease& lease) {
  const ShortKey id = IdKey(kLeaseTenant, lease.fencing);
  const Result<Found> deadline = view.Get(Cf::kIds, id);
  if (!deadline.ok()) return deadline.status();
  if (!*deadline) return Corruption("a lease has no deadline");
  const Result<IdEntry> entry = DecodeIdEntry(id, **deadline);
  if (!entry.ok()) return entry.status();
  return entry->at <= lease.expires_at ? Status() : Corruption("a deadline is too late");
}

Status CheckLease(const KvView& view, const StreamName& name, std::string_view key,
                  std::string_view value) {
  const Result<Lease> lease = DecodeLease(key, value);
  if (!lease.ok()) return lease.status();
  if (Status s = CheckDeadline(view, *lease); !s.ok()) return s;
  if (name.row == StreamRow::kLapsed) return {};
  const std::string user_key = StreamKey(StreamRow::kUser, name.tenant, name.user);
  const Result<Found> row = view.Get(Cf::kStream, user_key);
  if (!row.ok()) return row.status();
  if (!*row) return Corruption("a lease has no user");
  const Result<StreamUser> user = DecodeUser(user_key, **row);
  if (!user.ok()) return user.status();
  const auto& ids = user->streams;
  if (std::count(ids.begin(), ids.end(), name.stream) == 1) return {};
  return Corruption("a lease is not named by its user");
}

}  // namespace

Status CheckStreams(const KvView& view) {
  const auto rows = view.Scan(Cf::kStream, {}, kEnd, false);
  for (; rows->Valid(); rows->Next()) {
    const auto name = ParseStreamKey(rows->key());
    if (!name) return Corruption("stream holds a key that does not parse");
    Status s = name->row == StreamRow::kUser ? CheckUser(view, *name, rows->key(), rows->value())
                                             : CheckLease(view, *name, rows->key(), rows->value());
    if (s.code() == StatusCode::kCorruption) {
      return Corruption("user " + std::string(name->user) + ": " + s.message());
    }
    if (!s.ok()) return s;
  }
  return rows->status();
}

}  // namespace belfry
