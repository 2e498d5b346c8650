// token_command.h - `belfry token create | list | revoke`: works on the tokens file alone. A
// running daemon takes notice at SIGHUP. Blocks. Any thread.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "http/caller.h"

namespace belfry {

struct TokenCommand {
  enum class Kind { kCreate, kList, kRevoke };
  Kind kind = Kind::kList;
  std::string file;
  std::string user;                   // kCreate; kRevoke: all of this user's, instead of `id`
  Scopes scopes;                      // kCreate
  std::optional<int64_t> expires_ms;  // kCreate: from now
  std::string id;                     // kRevoke
  bool expired = false;               // kRevoke: all that are over, of all users, instead of `id`
};

// What all tokens get that are made without --scope: all but admin.
[[nodiscard]] Scopes DefaultScopes();

// "" when it may be the name of a user; else what is wrong.
[[nodiscard]] std::string WrongUserName(const std::string& user);

// The text for stdout. The token that was made is its last line, and is nowhere else.
[[nodiscard]] Result<std::string> RunTokenCommand(const TokenCommand& command, const Clock& clock);

}  // namespace belfry
