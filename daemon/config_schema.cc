#include "daemon/config_schema.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "daemon/credential_file.h"
#include "delivery/address_policy.h"
#include "delivery/tls_profiles.h"
#include "http/host.h"

namespace belfry {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kTiB = kMiB * kMiB;
constexpr uint64_t kInFlightMax = 100'000;
constexpr uint64_t kBreakerCountMax = 1'000'000;
constexpr int64_t kProbeMsMin = 100;
constexpr uint64_t kConnectionsMax = 1'000'000;
constexpr size_t kTargetEntriesMax = 256;
constexpr size_t kOriginsMax = 64;
constexpr size_t kSecretsMax = 4;
constexpr size_t kTlsProfilesMax = 64;
constexpr size_t kPathBytesMax = 4095;
constexpr int64_t kClientTimeoutMsMin = 100;
constexpr int64_t kClientTimeoutMsMax = 10 * kMinuteMs;

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels{
    {{"debug", LogLevel::kDebug},
     {"info", LogLevel::kInfo},
     {"warn", LogLevel::kWarn},
     {"error", LogLevel::kError}}};

std::string LevelName(LogLevel level) {
  const auto* found = std::find_if(kLevels.begin(), kLevels.end(),
                                   [&](const auto& entry) { return entry.second == level; });
  CHECK(found != kLevels.end());
  return std::string(found->first);
}

Status SetLevel(const std::string& text, LogLevel& level) {
  for (const auto& [name, value] : kLevels) {
    if (text != name) continue;
    level = value;
    return {};
  }
  return Invalid("must be debug, info, warn or error");
}

Status SetPath(const std::string& text, std::string& path) {
  if (text.empty()) return Invalid("must name a directory");
  if (text.size() > kPathBytesMax || text.find('\0') != std::string::npos) {
    return Invalid("is not a path");
  }
  path = text;
  return {};
}

Status SetMode(const std::string& text, std::string& mode) {
  if (text != "none" && text != "token") return Invalid("must be none or token");
  mode = text;
  return {};
}

Status SetListen(const std::string& text, ListenAddress& listen) {
  auto parsed = ParseListenAddress(text);
  if (parsed.ok()) listen = parsed.value();
  return parsed.status();
}

std::string OctalText(uint64_t mode) {
  std::string text = "0";
  for (int shift = 6; shift >= 0; shift -= 3) text += static_cast<char>('0' + (mode >> shift & 7));
  return text;
}

Status SetSocketMode(const std::string& text, uint64_t& mode) {
  const bool octal =
      text.size() == 4 && text[0] == '0' && text.find_first_not_of("01234567") == std::string::npos;
  if (!octal) return Invalid("must be permission bits like 0660");
  mode = std::stoul(text, nullptr, 8);
  return {};
}

// As browsers send it in `Origin`: lower case, no path, no user.
Status CheckOrigin(const std::string& text) {
  const Status wrong =
      Invalid("must be an origin like https://app.example.com or http://host:3000");
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong;
  }
  if (rest.size() > 300 || ClassifyHost(rest) == HostKind::kInvalid) return wrong;
  if (rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != rest.npos ||
      rest.front() == '.' || rest.find("..") != rest.npos) {
    return wrong;
  }
  const size_t colon = rest.rfind(':');
  const bool has_port = colon != rest.npos && rest.back() != ']';
  if (has_port && (colon + 1 == rest.size() || rest[colon + 1] == '0')) return wrong;
  return {};
}

// One entry of delivery.targets; the sender reads the lists again as a whole.
Status CheckTarget(const std::string& text) {
  auto parsed = AddressPolicy::Parse({text}, {});
  if (parsed.ok()) return {};
  return Invalid("must be public, private, loopback, an address or a CIDR block like 10.0.0.0/8");
}

Status SetFile(const std::string& text, std::string& file) {
  Status status = CheckCredentialName(text);
  if (status.ok()) file = text;
  return status;
}

Status SetTlsVersion(const std::string& text, std::string& version) {
  if (text != "1.2" && text != "1.3") return Invalid("must be 1.2 or 1.3");
  version = text;
  return {};
}

Status SetTlsTarget(const std::string& text, std::string& target) {
  auto parsed = TlsTarget::Parse(text);
  if (parsed.ok()) target = text;
  return parsed.status();
}

void VisitTlsFiles(ConfigVisitor& visitor, Config::Delivery::Tls::Settings& tls) {
  visitor.TextOrNull("ca", tls.ca, [&](const std::string& text) { return SetFile(text, tls.ca); });
  visitor.TextOrNull("cert", tls.cert,
                     [&](const std::string& text) { return SetFile(text, tls.cert); });
  visitor.TextOrNull("key", tls.key,
                     [&](const std::string& text) { return SetFile(text, tls.key); });
}

void VisitTls(ConfigVisitor& visitor, Config::Delivery::Tls& tls) {
  visitor.BeginSection("tls");
  VisitTlsFiles(visitor, tls.others);
  visitor.Text("min_version", tls.others.min_version, [&](const std::string& text) {
    return SetTlsVersion(text, tls.others.min_version);
  });
  tls.profiles.resize(visitor.BeginList("profiles", tls.profiles.size(), kTlsProfilesMax));
  for (auto& profile : tls.profiles) {
    visitor.BeginItem();
    visitor.Text("target", profile.target,
                 [&](const std::string& text) { return SetTlsTarget(text, profile.target); });
    VisitTlsFiles(visitor, profile.settings);
    visitor.TextOrNull("min_version", profile.settings.min_version, [&](const std::string& text) {
      return SetTlsVersion(text, profile.settings.min_version);
    });
    visitor.EndItem();
  }
  visitor.EndList();
  visitor.EndSection();
}

void VisitAuth(ConfigVisitor& visitor, Config::Auth& auth) {
  visitor.BeginSection("auth");
  visitor.Text("mode", auth.mode,
               [&](const std::string& text) { return SetMode(text, auth.mode); });
  visitor.TextOrNull("tokens_file", auth.tokens_file,
                     [&](const std::string& text) { return SetFile(text, auth.tokens_file); });
  visitor.EndSection();
}

void VisitHttp(ConfigVisitor& visitor, Config::Http& http) {
  visitor.BeginSection("http");
  visitor.Bytes("max_head", http.max_head, kKiB, kRequestHeadBytesMax);
  visitor.Bytes("max_body", http.max_body, kKiB, kRequestBodyBytesMax);
  visitor.Count("max_connections", http.max_connections, 1, kConnectionsMax);
  visitor.Duration("head_timeout", http.head_timeout_ms, kClientTimeoutMsMin, kClientTimeoutMsMax);
  visitor.Duration("body_timeout", http.body_timeout_ms, kClientTimeoutMsMin, kClientTimeoutMsMax);
  visitor.Duration("write_timeout", http.write_timeout_ms, kClientTimeoutMsMin,
                   kClientTimeoutMsMax);
  visitor.Duration("idle_timeout", http.idle_timeout_ms, kClientTimeoutMsMin, kHourMs);
  visitor.Text("socket_mode", OctalText(http.socket_mode),
               [&](const std::string& text) { return SetSocketMode(text, http.socket_mode); });
  visitor.Texts("cors_origins", http.cors_origins, kOriginsMax, CheckOrigin);
  visitor.EndSection();
}

void VisitDelivery(ConfigVisitor& visitor, Config::Delivery& delivery) {
  visitor.BeginSection("delivery");
  visitor.BeginSection("targets");
  visitor.Texts("allow", delivery.targets.allow, kTargetEntriesMax, CheckTarget);
  visitor.Texts("deny", delivery.targets.deny, kTargetEntriesMax, CheckTarget);
  visitor.EndSection();
  visitor.Count("max_in_flight", delivery.max_in_flight, 1, kInFlightMax);
  visitor.Count("per_target_in_flight", delivery.per_target_in_flight, 1, kInFlightMax);
  visitor.Count("per_target_rate", delivery.per_target_rate, 0, kTargetRateMax);
  visitor.Duration("timeout", delivery.timeout_ms, kTimeoutMsMin, kTimeoutMsMax);
  visitor.BeginSection("retry");
  visitor.Count("max_attempts", delivery.retry.max_attempts, 1, kAttemptsMax);
  visitor.Durations("schedule", delivery.retry.schedule_ms, kScheduleMax, 1, kRetryDelayMsMax);
  visitor.Fraction("jitter", delivery.retry.jitter);
  visitor.EndSection();
  visitor.BeginSection("breaker");
  visitor.Count("failures", delivery.breaker.failures, 1, kBreakerCountMax);
  visitor.Fraction("ratio", delivery.breaker.ratio);
  visitor.Count("min_attempts", delivery.breaker.min_attempts, 1, kBreakerCountMax);
  visitor.Duration("window", delivery.breaker.window_ms, kSecondMs, kHourMs);
  visitor.Duration("probe_min", delivery.breaker.probe_min_ms, kProbeMsMin, kDayMs);
  visitor.Duration("probe_max", delivery.breaker.probe_max_ms, kProbeMsMin, kDayMs);
  visitor.EndSection();
  visitor.BeginSection("signing");
  visitor.Texts("secrets", delivery.signing.secrets, kSecretsMax, CheckCredentialName);
  visitor.EndSection();
  VisitTls(visitor, delivery.tls);
  visitor.EndSection();
}

}  // namespace

void VisitConfig(ConfigVisitor& visitor, Config& config) {
  visitor.Text("listen", FormatListenAddress(config.listen),
               [&](const std::string& text) { return SetListen(text, config.listen); });
  visitor.Text("data", config.data,
               [&](const std::string& text) { return SetPath(text, config.data); });
  VisitAuth(visitor, config.auth);
  VisitHttp(visitor, config.http);
  VisitDelivery(visitor, config.delivery);
  visitor.Duration("retention", config.retention_ms, kSecondMs, 3650 * kDayMs);
  visitor.Duration("shutdown_timeout", config.shutdown_timeout_ms, 0, 10 * kMinuteMs);

  visitor.BeginSection("streams");
  visitor.Count("limit", config.streams.limit, 1, kStreamLimitMax);
  visitor.Duration("default_ttl", config.streams.default_ttl_ms, kStreamTtlMsMin, kStreamTtlMsMax);
  visitor.Flag("require_user", config.streams.require_user);
  visitor.EndSection();

  visitor.BeginSection("storage");
  visitor.Bytes("min_free", config.storage.min_free, 0, kTiB);
  visitor.EndSection();

  visitor.BeginSection("memory");
  visitor.Bytes("budget", config.memory.budget, 64 * kMiB, kTiB);
  visitor.Bytes("window", config.memory.window, 64 * kKiB, kTiB);
  visitor.Bytes("id_cache", config.memory.id_cache, 64 * kKiB, kTiB);
  visitor.EndSection();

  visitor.BeginSection("log");
  visitor.Text("level", LevelName(config.log.level),
               [&](const std::string& text) { return SetLevel(text, config.log.level); });
  visitor.EndSection();
}

}  // namespace belfry
