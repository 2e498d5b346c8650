#include "daemon/credential_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace belfry {
namespace {

constexpr size_t kPathBytesMax = 4095;
constexpr size_t kNameBytesMax = 255;
// A secret of 24 bytes, the shortest there is, takes as many characters of base64.
constexpr size_t kSecretTextMin = 32;

bool IsBase64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=';
}

Status Unreadable(const CredentialFile& file, int error) {
  return WrongCredential(file, std::string("cannot be read: ") + std::strerror(error));
}

Status CheckFile(const CredentialFile& file, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return WrongCredential(file, "is not a file");
  if (file.secrecy == Secrecy::kSecret && (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return WrongCredential(file, "may be read or changed by others; chmod g-w,o= it");
  }
  if (file.secrecy == Secrecy::kTrusted && (status.st_mode & (S_IWOTH | S_IWGRP)) != 0) {
    return WrongCredential(file, "may be changed by others; chmod go-w it");
  }
  if (file.secrecy == Secrecy::kTrusted && !file.any_owner &&
      !IsTrustedOwner(status.st_uid, geteuid())) {
    return WrongCredential(file,
                           "is owned by another user; chown it to root, or to who runs belfry");
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return WrongCredential(file, "may be changed by everybody; chmod o-w it");
  }
  return {};
}

Result<std::string> ReadOpen(const CredentialFile& file, int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return Unreadable(file, errno);
  if (Status s = CheckFile(file, status); !s.ok()) return s;
  // Never grown while it is read, so that nothing of it stays behind in memory.
  const auto bytes_there = static_cast<size_t>(status.st_size);
  std::string text(std::min(file.bytes_max, bytes_there) + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unreadable(file, errno);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size < text.size() && (size > 0 || file.may_be_empty)) {
    text.resize(size);
    return text;
  }
  Wipe(&text);
  if (size == 0) return WrongCredential(file, "is empty");
  return WrongCredential(file, size > file.bytes_max ? "is too long" : "changed meanwhile");
}

}  // namespace

bool IsTrustedOwner(uid_t owner, uid_t we) { return owner == 0 || owner == we; }

bool MayBeSecret(std::string_view text) {
  return text.find("whsec_") != text.npos || text.find("whsk_") != text.npos ||
         text.find("blf_") != text.npos || text.find("PRIVATE KEY") != text.npos ||
         (text.size() >= kSecretTextMin && std::all_of(text.begin(), text.end(), IsBase64));
}

Status CheckCredentialName(const std::string& name) {
  const bool path = name.starts_with('/');
  if (MayBeSecret(name) && (!path || name.find('\n') != name.npos)) {
    return Invalid("must name a file, not hold what is in it");
  }
  const bool too_long = name.size() > (path ? kPathBytesMax : kNameBytesMax);
  const bool odd =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  const bool folder = !path && (name.find('/') != name.npos || name == "." || name == "..");
  if (name.empty() || too_long || odd || folder) {
    return Invalid("must be an absolute path, or the name of a systemd credential");
  }
  return {};
}

std::string CredentialsDirectory() {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory == nullptr ? "" : directory;
}

Result<std::string> ReadCredentialFile(const CredentialFile& file,
                                       const std::string& credentials_directory) {
  const bool path = file.name.starts_with('/');
  if (!path && credentials_directory.empty()) {
    return WrongCredential(file, "is no absolute path, and systemd gave no credentials");
  }
  const std::string where = path ? file.name : credentials_directory + "/" + file.name;
  const int fd = open(where.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Unreadable(file, errno);
  auto text = ReadOpen(file, fd);
  close(fd);
  return text;
}

Status WrongCredential(const CredentialFile& file, const std::string& why) {
  return Refused(file.key + ": " + file.name + " " + why);
}

void Wipe(std::string* secret) { explicit_bzero(secret->data(), secret->size()); }

}  // namespace belfry
