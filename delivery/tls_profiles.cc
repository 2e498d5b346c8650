#include "delivery/tls_profiles.h"

#include <algorithm>

namespace belfry {
namespace {

constexpr std::string_view kScheme = "https://";

Result<TlsTarget> Wrong() {
  return Invalid("must be like https://host, https://host:port or *.example.com");
}

}  // namespace

Result<TlsTarget> TlsTarget::Parse(const std::string& text) {
  const bool suffix = text.starts_with("*.");
  if (suffix && text.find_first_of(":/?#[@") != text.npos) return Wrong();
  // With a label in place of the star it must be the name of a host.
  auto url = NormaliseUrl(suffix ? std::string(kScheme) + "x" + text.substr(1) : text);
  if (!url.ok() || !url->starts_with(kScheme) || text.find('#') != text.npos ||
      url->find_first_of("/?", kScheme.size()) != url->size() - 1) {
    return Wrong();
  }
  const UrlTarget parsed = TargetOfUrl(*url);
  TlsTarget target;
  if (!suffix) {
    target.host_ = parsed.host;
    target.port_ = parsed.port;
    return target;
  }
  target.host_ = parsed.host.substr(1);
  if (target.host_.empty()) return Wrong();
  return target;
}

bool TlsTarget::Matches(const UrlTarget& target) const {
  if (port_ == 0) return target.host.ends_with(host_) && target.host.size() > host_.size();
  return target.port == port_ && target.host == host_;
}

TlsProfiles::TlsProfiles(TlsProfile others)
    : others_(std::move(others)), fingerprints_{others_.Fingerprint()} {}

void TlsProfiles::Add(TlsTarget target, TlsProfile profile) {
  fingerprints_.push_back(profile.Fingerprint());
  profiles_.emplace_back(std::move(target), std::move(profile));
}

const TlsProfile& TlsProfiles::For(const UrlTarget& target) const {
  const auto found = std::find_if(profiles_.begin(), profiles_.end(), [&](const auto& profile) {
    return profile.first.Matches(target);
  });
  return found == profiles_.end() ? others_ : found->second;
}

bool TlsProfiles::SameAs(const TlsProfiles& other) const {
  return fingerprints_ == other.fingerprints_;
}

}  // namespace belfry
