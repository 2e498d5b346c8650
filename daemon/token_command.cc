#include "daemon/token_command.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/name.h"
#include "base/rfc3339.h"
#include "daemon/tokens_file.h"
#include "http/token_hash.h"

namespace belfry {
namespace {

constexpr std::string_view kTokenPrefix = "blf_";  // by which it is known wherever it turns up
constexpr size_t kSecretBits = 256;
constexpr size_t kIdBits = 50;

// As base32.
Result<std::string> RandomText(size_t bits) {
  constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, kSecretBits / 5 + 1> random{};
  const size_t characters = (bits + 4) / 5;
  if (getrandom(random.data(), characters, 0) != static_cast<ssize_t>(characters)) {
    return IoError("cannot read random bytes");
  }
  std::string text;
  for (size_t i = 0; i < characters; ++i) text += kBase32[random[i] % kBase32.size()];
  return text;
}

std::string Line(const TokenEntry& entry) {
  return entry.id + ' ' + entry.user + ' ' + FormatScopes(entry.scopes) + ' ' +
         FormatRfc3339(entry.created) + ' ' +
         (entry.expires ? FormatRfc3339(*entry.expires) : "never") + '\n';
}

Result<std::string> Create(const TokenCommand& command, const Clock& clock) {
  auto secret = RandomText(kSecretBits);
  auto id = RandomText(kIdBits);
  if (!secret.ok() || !id.ok()) return secret.ok() ? id.status() : secret.status();
  const std::string token = std::string(kTokenPrefix) + *secret;
  TokenEntry entry;
  entry.id = std::move(*id);
  entry.user = command.user;
  entry.scopes = command.scopes;
  entry.created = clock.Wall();
  if (command.expires_ms) entry.expires = entry.created + *command.expires_ms;
  entry.hash = TokenHasher().Hash(token);
  std::string text = "id user scopes created expires\n" + Line(entry) + "Belfry reads " +
                     command.file + " again at SIGHUP. The token is shown this once:\n" + token +
                     '\n';
  const Status changed = ChangeTokens(command.file, true, [&](std::vector<TokenEntry>* entries) {
    entries->push_back(std::move(entry));
    return Status();
  });
  if (!changed.ok()) return changed;
  return text;
}

Result<std::string> List(const TokenCommand& command, const Clock& clock) {
  const auto entries = ReadTokens(command.file);
  if (!entries.ok()) return entries.status();
  std::string text = "id user scopes created expires\n";
  for (const TokenEntry& entry : *entries) {
    text += Line(entry);
    const bool over = entry.expires && clock.Wall() >= *entry.expires;
    if (over) text.insert(text.size() - 1, " (expired)");
  }
  return text;
}

Result<std::string> Revoke(const TokenCommand& command) {
  size_t revoked = 0;
  const Status changed = ChangeTokens(command.file, false, [&](std::vector<TokenEntry>* entries) {
    revoked = std::erase_if(*entries, [&](const TokenEntry& entry) {
      return command.id.empty() ? entry.user == command.user : entry.id == command.id;
    });
    if (revoked > 0) return Status();
    return Status(StatusCode::kNotFound,
                  command.file + ": " +
                      (command.id.empty() ? "this user has no token" : "no token has this id"));
  });
  if (!changed.ok()) return changed;
  return std::to_string(revoked) + (revoked == 1 ? " token" : " tokens") +
         " revoked. Belfry reads " + command.file + " again at SIGHUP.\n";
}

}  // namespace

Scopes DefaultScopes() {
  Scopes scopes = Scopes::All();
  scopes.Remove(Scope::kAdmin);
  return scopes;
}

std::string WrongUserName(const std::string& user) {
  if (!IsName(user)) return "must be 1 to 128 characters of UTF-8 without control characters";
  if (user.find(' ') != user.npos) return "must not contain blanks";
  return "";
}

Result<std::string> RunTokenCommand(const TokenCommand& command, const Clock& clock) {
  switch (command.kind) {
    case TokenCommand::Kind::kCreate:
      return Create(command, clock);
    case TokenCommand::Kind::kList:
      return List(command, clock);
    case TokenCommand::Kind::kRevoke:
      return Revoke(command);
  }
  CHECK(false);
}

}  // namespace belfry
