// tls_profiles.h - which TlsProfile is for which target.
//
// The profile depends on nothing but scheme, host and port. curl uses a connection again only for
// the same three, so as long as the profiles are the same ones, no connection serves two of them.
// When they change, see CurlSender::SetTls. Filled by one thread, then only read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "delivery/tls_profile.h"
#include "delivery/url.h"

namespace belfry {

// "https://host[:port]": that host and port, 443 if none is named. "*.example.com": every name that
// ends in ".example.com", at any port.
class TlsTarget {
 public:
  // kInvalid with a message for a person.
  [[nodiscard]] static Result<TlsTarget> Parse(const std::string& text);

  [[nodiscard]] bool Matches(const UrlTarget& target) const;

 private:
  std::string host_;  // ".example.com" stands for what ends so
  uint16_t port_ = 0;
};

class TlsProfiles {
 public:
  // `others` is for the targets that no profile is for.
  explicit TlsProfiles(TlsProfile others);

  // Behind those that are there: the first that matches is taken.
  void Add(TlsTarget target, TlsProfile profile);

  // Of an https URL. Borrowed from this object.
  [[nodiscard]] const TlsProfile& For(const UrlTarget& target) const;

  // Of two that were made from the same list of targets: what they were made of has not changed.
  [[nodiscard]] bool SameAs(const TlsProfiles& other) const;

 private:
  std::vector<std::pair<TlsTarget, TlsProfile>> profiles_;
  TlsProfile others_;
  // Of all profiles, as they were added: OpenSSL keeps issuers that it looks up later.
  std::vector<std::string> fingerprints_;
};

}  // namespace belfry
