#include "daemon/tokens_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/name.h"
#include "base/rfc3339.h"
#include "daemon/credential_file.h"

namespace belfry {
namespace {

constexpr size_t kFields = 6;
constexpr size_t kIdBytesMax = 64;
constexpr std::string_view kNever = "never";
constexpr std::string_view kHead =
    "# The tokens that Belfry accepts, by their SHA-256. Made by `belfry token`; a running Belfry\n"
    "# reads it again at SIGHUP.\n"
    "# id user scopes created expires sha256\n";

std::vector<std::string_view> FieldsOf(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t from = line.find_first_not_of(" \t\r");
    if (from == line.npos) return fields;
    const size_t to = std::min(line.find_first_of(" \t\r", from), line.size());
    fields.push_back(line.substr(from, to - from));
    line.remove_prefix(to);
  }
}

bool IsTokenId(std::string_view id) {
  return id.size() <= kIdBytesMax &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == id.npos;
}

std::optional<Scopes> ParseScopes(std::string_view text) {
  Scopes scopes;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    const auto scope = ScopeNamed(text.substr(0, end));
    if (!scope || end + 1 == text.size()) return std::nullopt;
    scopes.Add(*scope);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return scopes.empty() ? std::nullopt : std::optional(scopes);
}

std::optional<TokenHash> ParseHash(std::string_view hex) {
  TokenHash hash{};
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  const auto digit = [&](size_t i) -> int {
    const char c = hex[i];
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < hash.size(); ++i) {
    if (digit(2 * i) < 0 || digit(2 * i + 1) < 0) return std::nullopt;
    hash[i] = static_cast<uint8_t>(digit(2 * i) * 16 + digit(2 * i + 1));
  }
  return hash;
}

std::string FormatHash(const TokenHash& hash) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : hash) (hex += kHex[byte >> 4]) += kHex[byte & 15];
  return hex;
}

// What is wrong with a line; "": nothing.
std::string ReadLine(const std::vector<std::string_view>& fields, TokenEntry* entry) {
  if (fields.size() != kFields) {
    return "must have six fields: id user scopes created expires sha256";
  }
  if (!IsTokenId(fields[0])) return "the id must be of a-z, 0-9, _ and -";
  entry->id = fields[0];
  if (!IsName(fields[1])) return "the user must be 1 to 128 characters of UTF-8";
  entry->user = fields[1];
  const auto scopes = ParseScopes(fields[2]);
  if (!scopes) {
    return "the scopes must be some of timers:read,timers:write,stopwatches,streams,admin";
  }
  entry->scopes = *scopes;
  const auto created = ParseRfc3339(fields[3]);
  if (!created) return "`created` must be a time like 2026-11-21T08:00:00Z";
  entry->created = *created;
  if (fields[4] != kNever) {
    entry->expires = ParseRfc3339(fields[4]);
    if (!entry->expires) return "`expires` must be `never` or a time like 2026-11-21T08:00:00Z";
  }
  const auto hash = ParseHash(fields[5]);
  if (!hash) return "the SHA-256 must be 64 hexadecimal digits, in lower case";
  entry->hash = *hash;
  return "";
}

CredentialFile FileNamed(const std::string& key, const std::string& name, bool any_owner) {
  return {key, name, Secrecy::kTrusted, kTokensFileBytesMax, true, any_owner};
}

Status Failed(const std::string& what, const std::string& path) {
  return IoError("cannot " + what + " " + path + ": " + std::strerror(errno));
}

// A descriptor that is closed.
struct OpenFile {
  int fd = -1;
  OpenFile() = default;
  explicit OpenFile(int f) : fd(f) {}
  OpenFile(OpenFile&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~OpenFile() {
    if (fd >= 0) close(fd);
  }
};

// The file at `path`, for us alone: not one that another change has replaced meanwhile.
Result<OpenFile> LockFile(const std::string& path, bool make) {
  for (;;) {
    OpenFile file(open(path.c_str(), O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600));
    if (file.fd < 0) return Failed("open", path);
    while (flock(file.fd, LOCK_EX) != 0) {
      if (errno != EINTR) return Failed("lock", path);
    }
    struct stat locked {};
    struct stat there {};
    if (fstat(file.fd, &locked) != 0) return Failed("stat", path);
    if (stat(path.c_str(), &there) == 0 && there.st_ino == locked.st_ino &&
        there.st_dev == locked.st_dev) {
      return file;
    }
  }
}

Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("write", path);
    text.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Status WriteNew(const std::string& path, const struct stat& like, const std::string& text) {
  OpenFile file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.fd < 0) return Failed("make", path);
  const bool same_owner = like.st_uid == geteuid() && like.st_gid == getegid();
  if (!same_owner && fchown(file.fd, like.st_uid, like.st_gid) != 0) return Failed("chown", path);
  if (fchmod(file.fd, like.st_mode & 07777) != 0) return Failed("chmod", path);
  if (Status s = WriteAll(file.fd, text, path); !s.ok()) return s;
  return fsync(file.fd) == 0 ? Status() : Failed("sync", path);
}

// A symbolic link stays one.
Result<std::string> RealPath(const std::string& path) {
  std::error_code error;
  std::string real = std::filesystem::weakly_canonical(path, error);
  if (real.empty() || error) return IoError("cannot find " + path + ": " + error.message());
  return real;
}

// `path` is locked.
Status Replace(const std::string& path, int fd, const std::string& text) {
  struct stat like {};
  if (fstat(fd, &like) != 0) return Failed("stat", path);
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());  // of a change that was killed
  Status s = WriteNew(fresh, like, text);
  if (s.ok() && rename(fresh.c_str(), path.c_str()) != 0) s = Failed("replace", path);
  if (!s.ok()) {
    unlink(fresh.c_str());
    return s;
  }
  std::string parent = std::filesystem::path(path).parent_path();
  if (parent.empty()) parent = ".";
  const OpenFile directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.fd >= 0 && fsync(directory.fd) == 0 ? Status() : Failed("sync", parent);
}

}  // namespace

std::string FormatScopes(Scopes scopes) {
  std::string text;
  for (int i = 0; i < kScopes; ++i) {
    const auto scope = static_cast<Scope>(i);
    if (!scopes.Has(scope)) continue;
    if (!text.empty()) text += ',';
    text += ScopeName(scope);
  }
  return text;
}

Result<std::vector<TokenEntry>> ParseTokens(std::string_view text, const std::string& name) {
  std::vector<TokenEntry> entries;
  std::set<std::string> ids;
  std::set<TokenHash> hashes;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto fields = FieldsOf(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (fields.empty() || fields[0].starts_with('#')) continue;
    TokenEntry entry;
    std::string wrong = ReadLine(fields, &entry);
    if (wrong.empty() && !ids.insert(entry.id).second) wrong = "an id that an earlier line has";
    if (wrong.empty() && !hashes.insert(entry.hash).second) {
      wrong = "the token of an earlier line";
    }
    if (wrong.empty() && entries.size() >= kTokensMax) wrong = "more than 100000 tokens";
    if (!wrong.empty()) return Refused(name + ":" + std::to_string(number) + ": " + wrong);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string FormatTokens(const std::vector<TokenEntry>& entries) {
  std::string text(kHead);
  for (const TokenEntry& entry : entries) {
    const std::string expires = entry.expires ? FormatRfc3339(*entry.expires) : std::string(kNever);
    text += entry.id + ' ' + entry.user + ' ' + FormatScopes(entry.scopes) + ' ' +
            FormatRfc3339(entry.created) + ' ' + expires + ' ' + FormatHash(entry.hash) + '\n';
  }
  return text;
}

Result<std::vector<TokenEntry>> LoadTokens(const std::string& name,
                                           const std::string& credentials_directory) {
  const CredentialFile file = FileNamed("auth.tokens_file", name, false);
  const auto text = ReadCredentialFile(file, credentials_directory);
  if (!text.ok()) return text.status();
  return ParseTokens(*text, "auth.tokens_file: " + name);
}

Result<std::vector<TokenEntry>> ReadTokens(const std::string& path) {
  const auto real = RealPath(path);
  if (!real.ok()) return real.status();
  const auto text = ReadCredentialFile(FileNamed("--tokens-file", *real, true), "");
  if (!text.ok()) return text.status();
  return ParseTokens(*text, *real);
}

Status ChangeTokens(const std::string& path, bool make,
                    const std::function<Status(std::vector<TokenEntry>*)>& change) {
  const auto real = RealPath(path);
  if (!real.ok()) return real.status();
  const Result<OpenFile> file = LockFile(*real, make);
  if (!file.ok()) return file.status();
  auto entries = ReadTokens(*real);
  if (!entries.ok()) return entries.status();
  if (Status s = change(&*entries); !s.ok()) return s;
  const std::string text = FormatTokens(*entries);
  if (entries->size() > kTokensMax || text.size() > kTokensFileBytesMax) {
    return Refused(*real +
                   ": no room for another token: at most 100000, in 64 MiB; `belfry token "
                   "revoke --expired` removes those that are over");
  }
  return Replace(*real, file->fd, text);
}

}  // namespace belfry
