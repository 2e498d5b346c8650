// config.h - everything an operator may set: each key with its meaning, default and bound. The
// defaults are those of a configuration file that leaves the key out; systemd/belfry.yaml shows
// them all and a test holds it to this file. yaml-cpp stops in config.cc. Any thread; plain values.
//
// Durations are written like 15s, 5m, 7d (base/duration.h), sizes like 64MiB (byte_size.h). Unknown
// and repeated keys, wrong types and values out of bounds are refused by name and line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "base/timer.h"
#include "daemon/listen_address.h"

namespace belfry {

struct Config {
  ListenAddress listen;                  // HOST:PORT, [IPV6]:PORT or unix:PATH
  std::string data = "/var/lib/belfry";  // directory of the store; made when absent

  struct Auth {
    // Who may call. `none`: everybody who reaches the listener, which must be loopback or a Unix
    // socket, is the user `local`. `token`: whoever has a token of tokens_file.
    std::string mode = "none";
    // File of hashed tokens (tokens_file.h), named like delivery.signing.secrets; SIGHUP reads it
    // again. With mode token, and only then.
    std::string tokens_file;
  } auth;

  struct Http {
    uint64_t max_head = kRequestHeadBytesMax;  // request line and headers; 1KiB..16KiB
    uint64_t max_body = kRequestBodyBytesMax;  // 1KiB..256KiB
    uint64_t max_connections = 10'000;         // 1..1000000; fewer when descriptors are short
    int64_t head_timeout_ms = kHeadTimeoutMs;  // to send line and headers; 100ms..10m
    // To send a body, and a second more for every 500 bytes that came; 100ms..10m.
    int64_t body_timeout_ms = kBodyTimeoutMs;
    int64_t write_timeout_ms = kWriteStallTimeoutMs;  // client reads nothing; 100ms..10m
    int64_t idle_timeout_ms = kIdleTimeoutMs;         // between requests; 100ms..1h
    uint64_t socket_mode = 0660;  // of a Unix socket: who may connect; octal, 0..0777
    // Web pages that may call the API: scheme://host[:port], exactly as browsers send it; at most
    // 64. Empty: none.
    std::vector<std::string> cors_origins;
  } http;

  struct Delivery {
    struct Targets {
      // Addresses webhooks may be sent to: public, private, loopback, CIDR blocks, addresses
      // (delivery/address_policy.h). Deny wins. At most 256 entries each.
      std::vector<std::string> allow = {"public"};
      std::vector<std::string> deny;
    } targets;
    uint64_t max_in_flight = 1000;        // attempts under way at once; 1..100000
    uint64_t per_target_in_flight = 100;  // the same for one scheme://host:port; 1..100000
    uint64_t per_target_rate = 0;  // attempts a second at one; 0: as many as there are; 0..100000
    int64_t timeout_ms = 15 * kSecondMs;  // of one attempt, unless its timer says; 100ms..60s
    // For timers without a `retry` of their own.
    struct Retry {
      uint64_t max_attempts = 10;  // the first included; 1..50
      // Before attempt 2, 3, ...; the last repeats. 1 to 50 entries of 1ms..7d.
      std::vector<int64_t> schedule_ms = {5 * kSecondMs, 5 * kMinuteMs, 30 * kMinuteMs,
                                          2 * kHourMs,   5 * kHourMs,   10 * kHourMs,
                                          14 * kHourMs,  20 * kHourMs,  kDayMs};
      double jitter = 0.2;  // a delay d becomes d * (1 +- jitter); 0..1
    } retry;
    // When nothing is sent to a target for a while (scheduler/breaker.h).
    struct Breaker {
      uint64_t failures = 5;       // in a row without an answer; 1..1000000
      double ratio = 0.5;          // or so many of `min_attempts` within `window` failed; 0..1
      uint64_t min_attempts = 20;  // 1..1000000
      int64_t window_ms = 30 * kSecondMs;  // 1s..1h
      // To the first probe, and each time twice as long, up to the second; 100ms..1d each.
      int64_t probe_min_ms = kSecondMs;
      int64_t probe_max_ms = 5 * kMinuteMs;
    } breaker;
    struct Signing {
      // Files of one secret each, whsec_... or whsk_... (delivery/signer.h), by absolute path or as
      // names of systemd credentials (credential_file.h). Each signs, so old and new are both here
      // while receivers change over. At most 4. Empty: webhooks are not signed. SIGHUP reads the
      // files again.
      std::vector<std::string> secrets;
    } signing;
    struct Tls {
      // Receivers are always verified. Files in PEM, named like signing.secrets; SIGHUP reads them
      // again.
      struct Settings {
        std::string ca;    // issuers trusted besides the system's
        std::string cert;  // our certificate for receivers that ask, then what links it to a root
        std::string key;   // of cert, not encrypted; read like a secret. Both or neither
        std::string min_version;  // 1.2 or 1.3
      };
      Settings others = {"", "", "", "1.2"};  // of the targets that no profile is for
      // The first whose target matches is taken, at most 64. Its files are its own: none of those
      // above is used with it. Without a min_version it has the one above.
      struct Profile {
        std::string
            target;  // https://HOST, https://HOST:PORT or *.DOMAIN (delivery/tls_profiles.h)
        Settings settings;
      };
      std::vector<Profile> profiles;
    } tls;
  } delivery;

  int64_t retention_ms = 7 * kDayMs;             // how long an outcome is kept; 1s..3650d
  int64_t shutdown_timeout_ms = 20 * kSecondMs;  // SIGTERM waits so long for attempts; 0s..10m

  struct Streams {
    uint64_t limit = 3;                     // streams of one user at a time; 1..256
    int64_t default_ttl_ms = 12 * kHourMs;  // lease of a stream that names none; 1s..30d
    bool require_user = false;              // a stream needs a user that was made before
  } streams;

  struct Storage {
    uint64_t min_free = 256 * 1024 * 1024;  // below so much free disk no timer is set; 0B..1TiB
  } storage;

  struct Memory {
    // For everything that grows (memory_plan.h); 64MiB..1TiB. The next two are parts of it and take
    // at most half of it together.
    uint64_t budget = 512 * 1024 * 1024;
    uint64_t window = 64 * 1024 * 1024;    // timers that are due next; 64KiB..1TiB
    uint64_t id_cache = 32 * 1024 * 1024;  // states of timers asked for by id; 64KiB..1TiB
  } memory;

  struct Log {
    LogLevel level = LogLevel::kInfo;  // debug, info, warn or error: what is less is not written
  } log;
};

// What holds without a file: data in ./data, targets public, private and loopback.
[[nodiscard]] Config DevelopmentConfig();

// Reads `text` (YAML). Every error is named, one a line, "NAME:LINE: KEY: what is wrong"; the code
// is kRefused. Does not apply CheckConfig: flags may come on top.
[[nodiscard]] Result<Config> ParseConfig(std::string_view text, const std::string& name);

// Reads a file or a pipe of at most 1 MiB, then ParseConfig. Blocks.
[[nodiscard]] Result<Config> LoadConfig(const std::string& path);

// The rules between keys: who may listen where, and what fits into what. kRefused.
[[nodiscard]] Status CheckConfig(const Config& config);

// Every key with its value as YAML; ParseConfig of it gives the same Config.
[[nodiscard]] std::string FormatConfig(const Config& config);

[[nodiscard]] RetryPolicy DefaultRetry(const Config& config);

}  // namespace belfry
