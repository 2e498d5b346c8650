// tokens_file.h - the file of auth.tokens_file: who may call, by the hashes of their tokens.
// Blocks. Any thread.
//
// One token a line, fields separated by blanks; empty lines and those that begin with # are passed:
//
//   # id user scopes created expires sha256
//   r4kq2mzd7a alice timers:read,timers:write 2026-11-21T08:00:00.000Z never 9f86d081884c7d65...
//
// Nobody can go back from a hash, so the file may be read by others, but only its owner may change
// it, and of whom a daemon takes it is root or its own user. What is wrong is told by its line,
// never with what stands there: it might be a token.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "http/caller.h"

namespace belfry {

struct TokenEntry {
  std::string id;  // by which it is revoked
  std::string user;
  Scopes scopes;
  WallMs created;
  std::optional<WallMs> expires;
  TokenHash hash{};
};

// kRefused, "NAME:LINE: why". No two entries have the same id or hash.
[[nodiscard]] Result<std::vector<TokenEntry>> ParseTokens(std::string_view text,
                                                          const std::string& name);

// The text of a whole file.
[[nodiscard]] std::string FormatTokens(const std::vector<TokenEntry>& entries);

// "timers:read,timers:write"
[[nodiscard]] std::string FormatScopes(Scopes scopes);

// `name` as CredentialFile has it. kRefused.
[[nodiscard]] Result<std::vector<TokenEntry>> LoadTokens(const std::string& name,
                                                         const std::string& credentials_directory);

// The same of a file named by its path, on the command line.
[[nodiscard]] Result<std::vector<TokenEntry>> ReadTokens(const std::string& path);

// Gives the entries to `change` and writes what it leaves, all or nothing: whoever reads meanwhile
// sees the old file or the new one, and two changes at once both happen. Mode and owner stay; a
// file that is not there is made for its owner alone, if `make`. Comments are not kept. What
// `change` returns is returned, and nothing is written when it is not OK. kRefused: the file is not
// right. kIoError.
[[nodiscard]] Status ChangeTokens(const std::string& path, bool make,
                                  const std::function<Status(std::vector<TokenEntry>*)>& change);

}  // namespace belfry
