#include "daemon/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "base/limits.h"
#include "daemon/byte_size.h"
#include "daemon/memory_plan.h"

namespace belfry {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The message for a file that must be refused.
std::string WhyRefused(const std::string& text) {
  const auto config = ParseConfig(text, "f.yaml");
  EXPECT_FALSE(config.ok()) << text;
  if (config.ok()) return "";
  EXPECT_EQ(config.status().code(), StatusCode::kRefused);
  return config.status().message();
}

Config Parsed(const std::string& text) {
  const auto config = ParseConfig(text, "f.yaml");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? config.value() : Config();
}

TEST(Config, AnEmptyFileHasTheDefaultsOfTheContract) {
  for (const char* text : {"", "# nothing\n", "---\n", "{}"}) {
    const Config config = Parsed(text);
    EXPECT_EQ(FormatListenAddress(config.listen), "127.0.0.1:8080");
    EXPECT_EQ(config.data, "/var/lib/belfry");
    EXPECT_EQ(config.auth.mode, "none");
    EXPECT_EQ(config.auth.tokens_file, "");
    EXPECT_EQ(config.delivery.targets.allow, std::vector<std::string>{"public"});
    EXPECT_TRUE(config.delivery.targets.deny.empty());
    EXPECT_EQ(config.delivery.max_in_flight, 1000u);
    EXPECT_EQ(config.delivery.per_target_in_flight, 100u);
    EXPECT_EQ(config.delivery.per_target_rate, 0u);
    EXPECT_EQ(config.delivery.breaker.failures, 5u);
    EXPECT_EQ(config.delivery.breaker.ratio, 0.5);
    EXPECT_EQ(config.delivery.breaker.min_attempts, 20u);
    EXPECT_EQ(config.delivery.breaker.window_ms, 30'000);
    EXPECT_EQ(config.delivery.breaker.probe_min_ms, 1000);
    EXPECT_EQ(config.delivery.breaker.probe_max_ms, 300'000);
    EXPECT_EQ(config.delivery.timeout_ms, 15'000);
    EXPECT_EQ(config.delivery.retry.max_attempts, 10u);
    EXPECT_EQ(config.delivery.retry.schedule_ms,
              (std::vector<int64_t>{5'000, 300'000, 1'800'000, 7'200'000, 18'000'000, 36'000'000,
                                    50'400'000, 72'000'000, 86'400'000}));
    EXPECT_EQ(config.delivery.retry.jitter, 0.2);
    EXPECT_TRUE(config.delivery.signing.secrets.empty());
    EXPECT_EQ(config.delivery.tls.others.ca, "");
    EXPECT_EQ(config.delivery.tls.others.cert, "");
    EXPECT_EQ(config.delivery.tls.others.key, "");
    EXPECT_EQ(config.delivery.tls.others.min_version, "1.2");
    EXPECT_TRUE(config.delivery.tls.profiles.empty());
    EXPECT_EQ(config.retention_ms, 7 * kDayMs);
    EXPECT_EQ(config.shutdown_timeout_ms, 20'000);
    EXPECT_EQ(config.streams.limit, 3u);
    EXPECT_EQ(config.streams.default_ttl_ms, 12 * kHourMs);
    EXPECT_FALSE(config.streams.require_user);
    EXPECT_EQ(config.storage.min_free, 256u << 20);
    EXPECT_EQ(config.memory.budget, 512u << 20);
    EXPECT_EQ(config.memory.window, 64u << 20);
    EXPECT_EQ(config.memory.id_cache, 32u << 20);
  }
}

TEST(Config, TheSampleFileNamesEveryKeyWithItsDefault) {
  const std::string sample = ReadFile(BELFRY_SOURCE_DIR "/systemd/belfry.yaml");
  const Config config = Parsed(sample);
  EXPECT_EQ(FormatConfig(config), FormatConfig(Config()));
  // Every key that is printed also stands in the sample, at the same depth.
  std::istringstream printed(FormatConfig(Config()));
  for (std::string line; std::getline(printed, line);) {
    const std::string key = line.substr(0, line.find(':') + 1);
    EXPECT_NE(("\n" + sample).find("\n" + key), std::string::npos) << key;
  }
}

TEST(Config, TheBlockOfTheContractEqualsTheDefaults) {
  const Config config = Parsed(R"(
listen: 127.0.0.1:8080
data: /var/lib/belfry
auth: {mode: none, tokens_file: null}
delivery:
  targets: {allow: [public], deny: []}
  max_in_flight: 1000
  per_target_in_flight: 100
  timeout: 15s
  retry: {max_attempts: 10, schedule: [5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h], jitter: 0.2}
retention: 7d
shutdown_timeout: 20s
streams: {limit: 3, default_ttl: 12h, require_user: false}
storage: {min_free: 256MiB}
memory: {budget: 512MiB, window: 64MiB, id_cache: 32MiB}
)");
  EXPECT_EQ(FormatConfig(config), FormatConfig(Config()));
}

TEST(Config, WhatIsPrintedReadsBackTheSame) {
  const std::string text = FormatConfig(Parsed(R"(
listen: "[::1]:0"
data: "./with space: and \"quotes\" # and more"
http: {max_head: 4KiB, max_body: 2000B, idle_timeout: 1m30s, socket_mode: 0600,
       cors_origins: ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000",
                      "http://10.0.0.1:65535", "https://[fe80::1]"]}
delivery:
  targets: {allow: [public, 10.0.0.0/8], deny: [10.1.2.3, "fd00::/8"]}
  retry: {max_attempts: 3, schedule: [PT1.5S, 2s], jitter: 0.125}
  signing: {secrets: [/etc/belfry/new, old]}
  tls:
    ca: /etc/belfry/ca.pem
    min_version: 1.3
    profiles:
      - {target: "https://[::1]:8443", cert: "/with space: #.pem", key: client-key}
      - {target: "*.example.com", min_version: 1.2}
retention: 36h
storage: {min_free: 0}
log: {level: warn}
)"));
  EXPECT_EQ(FormatConfig(Parsed(text)), text);
  EXPECT_NE(text.find("jitter: 0.125"), std::string::npos) << text;
  EXPECT_NE(text.find("retention: 1d12h"), std::string::npos) << text;
}

TEST(Config, EveryKeyIsTaken) {
  const Config config = Parsed(R"(
listen: unix:/run/belfry.sock
data: d
auth: {mode: token, tokens_file: /t}
http: {max_head: 1KiB, max_body: 2KiB, max_connections: 7, head_timeout: 1s, body_timeout: 2s,
       write_timeout: 3s, idle_timeout: 4s, socket_mode: 0666,
       cors_origins: ["https://a.example"]}
delivery:
  targets: {allow: [loopback], deny: [private]}
  max_in_flight: 5
  per_target_in_flight: 6
  per_target_rate: 7
  timeout: 100ms
  retry: {max_attempts: 1, schedule: [1ms], jitter: 1}
  breaker: {failures: 1, ratio: 0.25, min_attempts: 2, window: 1s, probe_min: 100ms, probe_max: 1d}
  signing: {secrets: [/etc/belfry/new, old]}
retention: 1s
shutdown_timeout: 0s
streams: {limit: 1, default_ttl: 1s, require_user: true}
storage: {min_free: 0B}
memory: {budget: 64MiB, window: 64KiB, id_cache: 64KiB}
log: {level: debug}
)");
  EXPECT_EQ(config.listen.path, "/run/belfry.sock");
  EXPECT_EQ(config.data, "d");
  EXPECT_EQ(config.http.max_head, 1024u);
  EXPECT_EQ(config.http.max_body, 2048u);
  EXPECT_EQ(config.http.max_connections, 7u);
  EXPECT_EQ(config.http.head_timeout_ms, 1000);
  EXPECT_EQ(config.http.body_timeout_ms, 2000);
  EXPECT_EQ(config.http.write_timeout_ms, 3000);
  EXPECT_EQ(config.http.idle_timeout_ms, 4000);
  EXPECT_EQ(config.http.socket_mode, 0666u);
  EXPECT_EQ(config.http.cors_origins, std::vector<std::string>{"https://a.example"});
  EXPECT_EQ(config.auth.mode, "token");
  EXPECT_EQ(config.auth.tokens_file, "/t");
  EXPECT_EQ(config.delivery.targets.allow, std::vector<std::string>{"loopback"});
  EXPECT_EQ(config.delivery.targets.deny, std::vector<std::string>{"private"});
  EXPECT_EQ(config.delivery.max_in_flight, 5u);
  EXPECT_EQ(config.delivery.per_target_in_flight, 6u);
  EXPECT_EQ(config.delivery.per_target_rate, 7u);
  EXPECT_EQ(config.delivery.breaker.failures, 1u);
  EXPECT_EQ(config.delivery.breaker.ratio, 0.25);
  EXPECT_EQ(config.delivery.breaker.min_attempts, 2u);
  EXPECT_EQ(config.delivery.breaker.window_ms, 1000);
  EXPECT_EQ(config.delivery.breaker.probe_min_ms, 100);
  EXPECT_EQ(config.delivery.breaker.probe_max_ms, kDayMs);
  EXPECT_EQ(config.delivery.timeout_ms, 100);
  EXPECT_EQ(DefaultRetry(config).max_attempts, 1u);
  EXPECT_EQ(DefaultRetry(config).schedule_ms, std::vector<int64_t>{1});
  EXPECT_EQ(DefaultRetry(config).jitter, 1.0);
  EXPECT_EQ(config.delivery.signing.secrets, (std::vector<std::string>{"/etc/belfry/new", "old"}));
  EXPECT_EQ(config.retention_ms, 1000);
  EXPECT_EQ(config.shutdown_timeout_ms, 0);
  EXPECT_EQ(config.streams.limit, 1u);
  EXPECT_EQ(config.streams.default_ttl_ms, 1000);
  EXPECT_TRUE(config.streams.require_user);
  EXPECT_EQ(config.storage.min_free, 0u);
  EXPECT_EQ(config.memory.budget, 64u << 20);
  EXPECT_EQ(config.memory.window, 64u << 10);
  EXPECT_EQ(config.memory.id_cache, 64u << 10);
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
}

TEST(Config, EveryKeyOfTlsIsTaken) {
  const Config config = Parsed(R"(
delivery:
  tls:
    {ca: /ca, cert: /cert, key: key, min_version: 1.3,
     profiles: [{target: "*.a.example"}, {target: "https://b", ca: x, cert: y, key: z,
                                          min_version: 1.3}]}
)");
  const Config::Delivery::Tls& tls = config.delivery.tls;
  EXPECT_EQ(tls.others.ca + tls.others.cert + tls.others.key + tls.others.min_version,
            "/ca/certkey1.3");
  ASSERT_EQ(tls.profiles.size(), 2u);
  EXPECT_EQ(tls.profiles[0].target, "*.a.example");
  EXPECT_EQ(tls.profiles[0].settings.ca + tls.profiles[0].settings.min_version, "");
  EXPECT_EQ(tls.profiles[1].target, "https://b");
  const auto& last = tls.profiles[1].settings;
  EXPECT_EQ(last.ca + last.cert + last.key + last.min_version, "xyz1.3");
}

TEST(Config, UnknownKeysAreRefusedByNameAndLine) {
  EXPECT_EQ(WhyRefused("data: x\nlisen: 127.0.0.1:1\n"), "f.yaml:2: lisen: unknown key");
  EXPECT_EQ(WhyRefused("delivery:\n  retry: {jiter: 0.1}\n"),
            "f.yaml:2: delivery.retry.jiter: unknown key");
  EXPECT_EQ(WhyRefused("<<: {data: x}\n"), "f.yaml:1: <<: unknown key");
  EXPECT_EQ(WhyRefused("[a]: x\n"), "f.yaml:1: ?: unknown key");
}

TEST(Config, RepeatedKeysAreRefusedByNameAndLine) {
  EXPECT_EQ(WhyRefused("data: x\nretention: 7d\ndata: y\n"), "f.yaml:3: data: given twice");
  EXPECT_EQ(WhyRefused("memory: {window: 1MiB, window: 1MiB}\n"),
            "f.yaml:1: memory.window: given twice");
}

TEST(Config, EveryErrorIsNamedInTheOrderOfTheFile) {
  EXPECT_EQ(WhyRefused("bogus: 1\ndelivery:\n  timeout: 61s\n  max_in_flight: 0\nretention: x\n"),
            "f.yaml:1: bogus: unknown key\n"
            "f.yaml:3: delivery.timeout: must be a duration like 15s, 100ms to 1m\n"
            "f.yaml:4: delivery.max_in_flight: must be a whole number, 1 to 100000\n"
            "f.yaml:5: retention: must be a duration like 15s, 1s to 3650d");
}

struct WrongText {
  const char* text;  // one line
  const char* key;   // of what is wrong
};

void ExpectRefusedByName(const std::vector<WrongText>& cases) {
  for (const WrongText& c : cases) {
    const std::string why = WhyRefused(c.text);
    EXPECT_EQ(why.rfind(std::string("f.yaml:1: ") + c.key + ": ", 0), 0u) << c.text << "\n" << why;
  }
}

TEST(Config, WrongTypesAreRefusedByName) {
  ExpectRefusedByName({
      {"listen: [a]", "listen"},
      {"listen: {a: b}", "listen"},
      {"listen:", "listen"},
      {"listen: 8080", "listen"},
      {"data: null", "data"},
      {"data: ''", "data"},
      {"data: !foo x", "data"},
      {"auth: none", "auth"},
      {"auth:", "auth"},
      {"auth: [mode]", "auth"},
      {"delivery: {max_in_flight: '10'}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: 1e3}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: 0x10}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: -1}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: 1.5}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: 99999999999999999999}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: [1]}", "delivery.max_in_flight"},
      {"delivery: {max_in_flight: }", "delivery.max_in_flight"},
      {"delivery: {timeout: 15}", "delivery.timeout"},
      {"delivery: {timeout: 15 s}", "delivery.timeout"},
      {"delivery: {timeout: -1s}", "delivery.timeout"},
      {"delivery: {retry: {schedule: 5s}}", "delivery.retry.schedule"},
      {"delivery: {retry: {schedule: []}}", "delivery.retry.schedule"},
      {"delivery: {retry: {schedule: [5s, 0s]}}", "delivery.retry.schedule"},
      {"delivery: {retry: {schedule: [5s, [5s]]}}", "delivery.retry.schedule"},
      {"delivery: {retry: {jitter: 1.1}}", "delivery.retry.jitter"},
      {"delivery: {retry: {jitter: .nan}}", "delivery.retry.jitter"},
      {"delivery: {retry: {jitter: nan}}", "delivery.retry.jitter"},
      {"delivery: {retry: {jitter: -0.1}}", "delivery.retry.jitter"},
      {"delivery: {retry: {max_attempts: 51}}", "delivery.retry.max_attempts"},
      {"delivery: {targets: {allow: public}}", "delivery.targets.allow"},
      {"delivery: {targets: {allow: [publick]}}", "delivery.targets.allow"},
      {"delivery: {targets: {deny: [10.0.0.1/8]}}", "delivery.targets.deny"},
      {"delivery: {targets: {deny: [null]}}", "delivery.targets.deny"},
      {"streams: {require_user: yes}", "streams.require_user"},
      {"streams: {require_user: 'true'}", "streams.require_user"},
      {"streams: {limit: 0}", "streams.limit"},
      {"storage: {min_free: 1GB}", "storage.min_free"},
      {"storage: {min_free: 17179869184GiB}", "storage.min_free"},
      {"memory: {budget: 1MiB}", "memory.budget"},
      {"memory: {window: 1KiB}", "memory.window"},
      {"memory: {id_cache: 1KiB}", "memory.id_cache"},
      {"http: {max_body: 257KiB}", "http.max_body"},
      {"http: {cors_origins: ['*']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a.example/path']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a:b']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a:']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a:0']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a:65536']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a:1:2']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://:80']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://[[']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://[::1']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://[a.example]']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://a..example']}", "http.cors_origins"},
      {"http: {cors_origins: ['https://A.example']}", "http.cors_origins"},
      {"shutdown_timeout: 11m", "shutdown_timeout"},
      {"log: {level: verbose}", "log.level"},
  });
}

TEST(Config, WhatCannotNameASecretsFileIsRefusedByName) {
  ExpectRefusedByName({
      {"delivery: {signing: {secrets: /etc/belfry/secret}}", "delivery.signing.secrets"},
      {"delivery: {signing: {secrets: [./secret]}}", "delivery.signing.secrets"},
      {"delivery: {signing: {secrets: [..]}}", "delivery.signing.secrets"},
      {"delivery: {signing: {secrets: ['']}}", "delivery.signing.secrets"},
      {"delivery: {signing: {secrets: [\"/a\\nb\"]}}", "delivery.signing.secrets"},
      {"delivery: {signing: {secrets: [a, b, c, d, e]}}", "delivery.signing.secrets"},
  });
}

TEST(Config, WrongTlsSettingsAreRefusedByName) {
  ExpectRefusedByName({
      {"delivery: {tls: {ca: a/b}}", "delivery.tls.ca"},
      {"delivery: {tls: {ca: [a]}}", "delivery.tls.ca"},
      {"delivery: {tls: {cert: ''}}", "delivery.tls.cert"},
      {"delivery: {tls: {key: .}}", "delivery.tls.key"},
      {"delivery: {tls: {min_version: 1.1}}", "delivery.tls.min_version"},
      {"delivery: {tls: {min_version: 1.20}}", "delivery.tls.min_version"},
      {"delivery: {tls: {min_version: null}}", "delivery.tls.min_version"},
      {"delivery: {tls: {verify: false}}", "delivery.tls.verify"},
      {"delivery: {tls: {profiles: null}}", "delivery.tls.profiles"},
      {"delivery: {tls: {profiles: {target: '*.a'}}}", "delivery.tls.profiles"},
      {"delivery: {tls: {profiles: [x]}}", "delivery.tls.profiles[0]"},
      {"delivery: {tls: {profiles: [{target: '*.a'}, {target: 'http://a'}]}}",
       "delivery.tls.profiles[1].target"},
      {"delivery: {tls: {profiles: [{target: '*.a'}, {tarket: 'x'}]}}",
       "delivery.tls.profiles[1].tarket"},
      {"delivery: {tls: {profiles: [{target: '*.a', ca: x, ca: y}]}}",
       "delivery.tls.profiles[0].ca"},
  });
  std::string many = "delivery: {tls: {profiles: [";
  for (int i = 0; i < 65; ++i) many += "{target: '*.a'},";
  ExpectRefusedByName({{(many += "]}}").c_str(), "delivery.tls.profiles"}});
}

TEST(Config, WhatBelongsTogetherInTlsMustBeThere) {
  const auto why = [](const std::string& tls) {
    const Status status = CheckConfig(Parsed("delivery: {tls: {" + tls + "}}"));
    EXPECT_EQ(status.code(), StatusCode::kRefused) << tls;
    return status.message();
  };
  EXPECT_EQ(why("cert: /c"), "delivery.tls.key: is missing, and there is a cert");
  EXPECT_EQ(why("key: /k"), "delivery.tls.cert: is missing, and there is a key");
  EXPECT_EQ(why("profiles: [{target: '*.a'}, {ca: /x}]"),
            "delivery.tls.profiles[1].target: is missing");
  EXPECT_EQ(why("profiles: [{target: '*.a', key: /k}]"),
            "delivery.tls.profiles[0].cert: is missing, and there is a key");
}

TEST(Config, ASecretInsteadOfItsFileIsRefusedAndNotRepeated) {
  for (const std::string secret :
       {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="}) {
    for (const std::string& text : {"delivery: {signing: {secrets: [" + secret + "]}}",
                                    "delivery: {signing: {secrets: " + secret + "}}",
                                    "delivery: {signing: {" + secret + ": x}}",
                                    "delivery: {signing: " + secret + "}", "listen: " + secret}) {
      EXPECT_EQ(WhyRefused(text).find(secret.substr(secret.size() - 20)), std::string::npos)
          << text;
    }
  }
  const std::string key = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIE\\n";
  EXPECT_EQ(WhyRefused("delivery: {tls: {key: \"" + key + "\"}}").find("MC4CAQ"),
            std::string::npos);
  EXPECT_EQ(
      WhyRefused("delivery:\n  signing: {secrets: [whsec_AAAA]}"),
      "f.yaml:2: delivery.signing.secrets: (not shown): must name a file, not hold what is in "
      "it");
}

TEST(Config, RateAndBreakerHaveBounds) {
  const struct {
    const char* text;
    const char* key;
  } cases[] = {
      {"delivery: {per_target_rate: 100001}", "delivery.per_target_rate"},
      {"delivery: {per_target_rate: 0.5}", "delivery.per_target_rate"},
      {"delivery: {breaker: off}", "delivery.breaker"},
      {"delivery: {breaker: {failures: 0}}", "delivery.breaker.failures"},
      {"delivery: {breaker: {ratio: 50}}", "delivery.breaker.ratio"},
      {"delivery: {breaker: {min_attempts: 0}}", "delivery.breaker.min_attempts"},
      {"delivery: {breaker: {window: 2h}}", "delivery.breaker.window"},
      {"delivery: {breaker: {probe_min: 0s}}", "delivery.breaker.probe_min"},
      {"delivery: {breaker: {probe_max: 8d}}", "delivery.breaker.probe_max"},
  };
  for (const auto& c : cases) {
    const std::string why = WhyRefused(c.text);
    EXPECT_EQ(why.rfind(std::string("f.yaml:1: ") + c.key + ": ", 0), 0u) << c.text << "\n" << why;
  }
}

TEST(Config, WhatIsNotOneYamlMappingIsRefused) {
  EXPECT_EQ(WhyRefused("- a\n"), "f.yaml:1: the file must hold keys like `listen: ...`");
  EXPECT_EQ(WhyRefused("just text"), "f.yaml:1: the file must hold keys like `listen: ...`");
  EXPECT_EQ(WhyRefused("data: a\n---\ndata: b\n"), "f.yaml: holds more than one document");
  EXPECT_EQ(WhyRefused("data: [1\nx").rfind("f.yaml:", 0), 0u);
  EXPECT_NE(WhyRefused("data: *nowhere").find("is not YAML"), std::string::npos);
  EXPECT_NE(WhyRefused(std::string(100'000, '[')).find("is not YAML"), std::string::npos);
}

TEST(Config, DevelopmentProfileDiffersInDataAndTargetsOnly) {
  Config config = DevelopmentConfig();
  EXPECT_EQ(config.data, "./data");
  EXPECT_EQ(config.delivery.targets.allow,
            (std::vector<std::string>{"public", "private", "loopback"}));
  config.data = Config().data;
  config.delivery.targets = Config().delivery.targets;
  EXPECT_EQ(FormatConfig(config), FormatConfig(Config()));
}

TEST(Config, OnlyLocalListenersMayServeEverybody) {
  for (const char* local : {"127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]:1",
                            "localhost:8080", "unix:/tmp/b.sock"}) {
    EXPECT_TRUE(CheckConfig(Parsed(std::string("listen: '") + local + "'")).ok()) << local;
  }
  for (const char* open : {"0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "[::ffff:0.0.0.0]:1"}) {
    const Status status = CheckConfig(Parsed(std::string("listen: '") + open + "'"));
    EXPECT_EQ(status.code(), StatusCode::kRefused) << open;
    EXPECT_NE(status.message().find("listen: "), std::string::npos);
    EXPECT_NE(status.message().find("auth: {mode: token"), std::string::npos)
        << "says how to proceed";
  }
}

TEST(Config, WindowAndIdCacheAreAtMostHalfOfTheBudget) {
  EXPECT_TRUE(CheckConfig(Parsed("memory: {budget: 192MiB}")).ok());
  const Status status = CheckConfig(Parsed("memory: {budget: 64MiB}"));
  EXPECT_EQ(status.message(),
            "memory.budget: 64MiB is too small: memory.window, 64MiB, and memory.id_cache, 32MiB, "
            "may take half of it");
  EXPECT_FALSE(CheckConfig(Parsed("memory: {budget: 64MiB, window: 1TiB, id_cache: 1TiB}")).ok());
}

TEST(Config, TheLongestTimeToAProbeIsNotBelowTheShortest) {
  EXPECT_TRUE(CheckConfig(Parsed("delivery: {breaker: {probe_min: 2m, probe_max: 2m}}")).ok());
  const Status status = CheckConfig(Parsed("delivery: {breaker: {probe_min: 10m}}"));
  EXPECT_EQ(status.code(), StatusCode::kRefused);
  EXPECT_EQ(status.message(), "delivery.breaker.probe_max: 5m is less than probe_min, 10m");
}

TEST(MemoryPlan, ThePartsAddUpToTheBudget) {
  const MemoryPlan plan = PlanMemory({512u << 20, 64u << 20, 32u << 20});
  EXPECT_EQ(plan.window, 64u << 20);
  EXPECT_EQ(plan.id_cache, 32u << 20);
  EXPECT_EQ(plan.block_cache, 208u << 20);
  EXPECT_EQ(plan.write_buffers, 104u << 20);
  EXPECT_EQ(plan.under_way, 104u << 20);
  EXPECT_LT(plan.Buffered() + plan.SetsQueued(), plan.under_way);
}

TEST(MemoryPlan, ALargeBudgetDoesNotRaiseWhatIsBoundedForClients) {
  const MemoryPlan plan = PlanMemory({uint64_t{64} << 30, 64u << 20, 32u << 20});
  EXPECT_EQ(plan.Buffered(), kBufferedBytesMax);
  EXPECT_EQ(plan.SetsQueued(), kSetsQueuedBytesMax);
}

TEST(MemoryPlan, TheSmallestBudgetHasRoomForTheLargestRequest) {
  const MemoryPlan plan = PlanMemory({64u << 20, 64u << 10, 64u << 10});
  EXPECT_GE(plan.Buffered(), 2 * (kRequestHeadBytesMax + kRequestBodyBytesMax));
  EXPECT_GE(plan.write_buffers, kGroupBytesMax);
}

TEST(Config, ReadsAPipe) {
  const std::string path = testing::TempDir() + "config_pipe_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(path) << "retention: 2d\n"; });
  const auto config = LoadConfig(path);
  writer.join();
  unlink(path.c_str());
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config.value().retention_ms, 2 * kDayMs);
}

TEST(Config, WhatCannotBeReadIsRefused) {
  EXPECT_EQ(LoadConfig("/nowhere/f.yaml").status().message(),
            "/nowhere/f.yaml: cannot be read: No such file or directory");
  EXPECT_EQ(LoadConfig("/").status().code(), StatusCode::kRefused);
  EXPECT_EQ(LoadConfig("/dev/zero").status().message(), "/dev/zero: is longer than 1MiB");
}

TEST(ByteSize, ReadsDigitsAndOneUnit) {
  EXPECT_EQ(ParseByteSize("0"), 0u);
  EXPECT_EQ(ParseByteSize("65536"), 65536u);
  EXPECT_EQ(ParseByteSize("7B"), 7u);
  EXPECT_EQ(ParseByteSize("64KiB"), 65536u);
  EXPECT_EQ(ParseByteSize("16777215TiB"), 16777215ull << 40);
  for (const char* text : {"", "KiB", "1KB", "1 KiB", "1kib", "-1B", "1.5MiB", "1MiBB",
                           "16777216TiB", "18446744073709551616"}) {
    EXPECT_EQ(ParseByteSize(text), std::nullopt) << text;
  }
}

TEST(ByteSize, PrintsWithoutLoss) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{1024},
                               uint64_t{1536}, uint64_t{3} << 30, ~uint64_t{0}}) {
    EXPECT_EQ(ParseByteSize(FormatByteSize(bytes)), bytes) << FormatByteSize(bytes);
  }
  EXPECT_EQ(FormatByteSize(64 << 20), "64MiB");
}

TEST(ListenAddress, ReadsItsThreeForms) {
  for (const char* text :
       {"127.0.0.1:8080", "[::1]:0", "0.0.0.0:65535", "unix:/run/b.sock", "unix:relative.sock"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(FormatListenAddress(address.value()), text);
  }
  EXPECT_EQ(FormatListenAddress(ParseListenAddress("localhost:1").value()), "127.0.0.1:1");
}

TEST(ListenAddress, RefusesEverythingElse) {
  const std::string long_path(108, 'p');
  for (const std::string& text : {std::string(""),
                                  std::string("8080"),
                                  std::string(":8080"),
                                  std::string("127.0.0.1"),
                                  std::string("127.0.0.1:"),
                                  std::string("127.0.0.1:65536"),
                                  std::string("127.0.0.1:80x"),
                                  std::string("127.0.0.1:-1"),
                                  std::string("127.0.0.1: 80"),
                                  std::string("::1:8080"),
                                  std::string("[::1]"),
                                  std::string("[::1]8080"),
                                  std::string("[127.0.0.1]:80"),
                                  std::string("[::1:8080"),
                                  std::string("[fe80::1%lo]:80"),
                                  std::string("example.com:80"),
                                  std::string("127.1:80"),
                                  std::string("unix:"),
                                  std::string("unix:a\0b", 8),
                                  "unix:" + long_path}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
}

}  // namespace
}  // namespace belfry
