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
constexpr size_t kSecretBytes = 32;
constexpr size_t kIdCharacters = 10;
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

template <size_t N>
Result<std::array<unsigned char, N>> RandomBytes() {
  std::array<unsigned char, N> random{};
  if (getrandom(random.data(), N, 0) == static_cast<ssize_t>(N)) return random;
  return IoError("cannot read random bytes");
}

// With its prefix short enough to be hashed as one block.
std::string TokenOf(const std::array<unsigned char, kSecretBytes>& secret) {
  std::string token(kTokenPrefix);
  unsigned bits = 0;
  int count = 0;
  for (const unsigned char byte : secret) {
    bits = (bits << 8 | byte) & 0xffff;
    for (count += 8; count >= 6; count -= 6) token += kBase64Url[bits >> (count - 6) & 63];
  }
  if (count > 0) token += kBase64Url[bits << (6 - count) & 63];
  return token;
}

std::string IdOf(const std::array<unsigned char, kIdCharacters>& random) {
  constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id;
  for (const unsigned char byte : random) id += kBase32[byte % kBase32.size()];
  return id;
}

std::string Line(const TokenEntry& entry) {
  return entry.id + ' ' + entry.user + ' ' + FormatScopes(entry.scopes) + ' ' +
         FormatRfc3339(entry.created) + ' ' +
         (entry.expires ? FormatRfc3339(*entry.expires) : "never") + '\n';
}

bool IsOver(const TokenEntry& entry, WallMs now) { return entry.expires && now >= *entry.expires; }

Result<std::string> Create(const TokenCommand& command, const Clock& clock) {
  const auto secret = RandomBytes<kSecretBytes>();
  const auto id = RandomBytes<kIdCharacters>();
  if (!secret.ok() || !id.ok()) return secret.ok() ? id.status() : secret.status();
  const std::string token = TokenOf(*secret);
  TokenEntry entry;
  entry.id = IdOf(*id);
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
    if (IsOver(entry, clock.Wall())) text.insert(text.size() - 1, " (expired)");
  }
  return text;
}

Result<std::string> Revoke(const TokenCommand& command, const Clock& clock) {
  size_t revoked = 0;
  const WallMs now = clock.Wall();
  const Status changed = ChangeTokens(command.file, false, [&](std::vector<TokenEntry>* entries) {
    revoked = std::erase_if(*entries, [&](const TokenEntry& entry) {
      if (command.expired) return IsOver(entry, now);
      return command.id.empty() ? entry.user == command.user : entry.id == command.id;
    });
    if (revoked > 0 || command.expired) return Status();
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
      return Revoke(command, clock);
  }
  CHECK(false);
}

}  // namespace belfry
