// stream_reads.h - users and their streams as clients see them, under one snapshot. Any thread;
// pure but for the engine, which outlives the call.
#pragma once

#include <atomic>
#include <optional>

#include "base/query.h"
#include "base/status.h"
#include "storage/kv.h"

namespace belfry {

// nullopt: no such user.
[[nodiscard]] Result<std::optional<UserView>> FindUser(const Kv& kv, const UserQuery& query);

// A page ends early when it has looked at kPageExaminedMax users and streams, or has kPageBytesMax.
// `stop` as Query::stop.
[[nodiscard]] Result<UserPage> ListUsers(const Kv& kv, const UsersQuery& query,
                                         const std::atomic<bool>* stop = nullptr);

}  // namespace belfry
