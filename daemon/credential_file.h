// credential_file.h - files that an operator keeps apart from the configuration: secrets, keys,
// certificates. Blocks. Any thread.
//
// A name that begins with a slash is a path. Any other names a credential of systemd
// (LoadCredential=), a file in $CREDENTIALS_DIRECTORY.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace belfry {

enum class Secrecy {
  kPublic,   // not writable by everybody
  kTrusted,  // nor by its group, and its owner is root or we: whoever writes it decides who may do
             // what
  kSecret,   // besides, not readable by everybody, and not writable by its group
};

// Where a file is named in the configuration, and the most it may hold.
struct CredentialFile {
  std::string key;  // delivery.signing.secrets
  std::string name;
  Secrecy secrecy = Secrecy::kSecret;
  size_t bytes_max = 0;
  bool may_be_empty = false;
  bool any_owner = false;  // it is only edited: nobody is trusted for what it says
};

// Who owns a file may change it, whatever its mode. `we`: our effective user.
[[nodiscard]] bool IsTrustedOwner(uid_t owner, uid_t we);

// kInvalid when `name` cannot be one, or looks like a secret itself, which the configuration must
// not hold: it is printed, copied and mailed.
[[nodiscard]] Status CheckCredentialName(const std::string& name);

// Text that must not be printed whoever wrote it where.
[[nodiscard]] bool MayBeSecret(std::string_view text);

// $CREDENTIALS_DIRECTORY, or "".
[[nodiscard]] std::string CredentialsDirectory();

// What the file holds; to be wiped by the caller when it is secret. kRefused, "KEY: NAME why": it
// cannot be read, is empty, too long or no file, or others may do with it what they should not.
[[nodiscard]] Result<std::string> ReadCredentialFile(const CredentialFile& file,
                                                     const std::string& credentials_directory);

// The message for what is wrong with its contents. kRefused.
[[nodiscard]] Status WrongCredential(const CredentialFile& file, const std::string& why);

void Wipe(std::string* secret);

}  // namespace belfry
