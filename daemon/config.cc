#include "daemon/config.h"

#include <fcntl.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <utility>

#include "base/duration.h"
#include "daemon/byte_size.h"
#include "daemon/config_schema.h"
#include "daemon/credential_file.h"
#include "daemon/memory_plan.h"

namespace belfry {
namespace {

constexpr size_t kFileBytesMax = 1024 * 1024;

// yaml-cpp's marks for a scalar without and with quotes.
constexpr std::string_view kPlain = "?";
constexpr std::string_view kQuoted = "!";

struct Complaint {
  int line;
  std::string text;
};

// Complaints are logged; a secret in the wrong place must not be.
std::string Shown(const std::string& text) { return MayBeSecret(text) ? "(not shown)" : text; }

std::string Range(const std::string& min, const std::string& max) { return min + " to " + max; }

// Fills a Config from a YAML tree and notes everything that is wrong with it.
class Reader final : public ConfigVisitor {
 public:
  explicit Reader(const YAML::Node& root) { Open(root, ""); }

  void BeginSection(std::string_view key) override {
    const YAML::Node node = Take(key);
    if (node.IsDefined() && !node.IsMap()) Complain(node, key, "must hold keys of its own");
    Open(node.IsDefined() && node.IsMap() ? node : YAML::Node(YAML::NodeType::Map), key);
  }

  void EndSection() override {
    const Frame& frame = frames_.back();
    for (const auto& entry : frame.node) {
      if (!entry.first.IsScalar() || !frame.taken.contains(entry.first.Scalar())) {
        const std::string name = entry.first.IsScalar() ? Shown(entry.first.Scalar()) : "?";
        complaints_.push_back({entry.first.Mark().line + 1, frame.path + name + ": unknown key"});
      }
    }
    frames_.pop_back();
  }

  void Count(std::string_view key, uint64_t& value, uint64_t min, uint64_t max) override {
    const auto text = PlainScalar(key, "a whole number");
    if (!text) return;
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size() || number < min ||
        number > max) {
      return Complain(last_, key,
                      "must be a whole number, " + Range(std::to_string(min), std::to_string(max)));
    }
    value = number;
  }

  void Bytes(std::string_view key, uint64_t& value, uint64_t min, uint64_t max) override {
    const auto text = PlainScalar(key, "a size like 64MiB");
    if (!text) return;
    const auto bytes = ParseByteSize(*text);
    if (!bytes || *bytes < min || *bytes > max) {
      return Complain(
          last_, key,
          "must be a size like 64MiB, " + Range(FormatByteSize(min), FormatByteSize(max)));
    }
    value = *bytes;
  }

  void Duration(std::string_view key, int64_t& value_ms, int64_t min_ms, int64_t max_ms) override {
    if (!PlainScalar(key, "a duration like 15s")) return;
    if (const auto parsed = OneDuration(last_, key, min_ms, max_ms)) value_ms = *parsed;
  }

  void Durations(std::string_view key, std::vector<int64_t>& values_ms, size_t count_max,
                 int64_t min_ms, int64_t max_ms) override {
    const auto items = Items(key, 1, count_max);
    if (!items) return;
    std::vector<int64_t> parsed_ms;
    for (const YAML::Node& item : *items) {
      const auto one = OneDuration(item, key, min_ms, max_ms);
      if (!one) return;
      parsed_ms.push_back(*one);
    }
    values_ms = std::move(parsed_ms);
  }

  void Fraction(std::string_view key, double& value) override {
    const auto text = PlainScalar(key, "a number");
    if (!text) return;
    double number = -1;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    const bool whole = error == std::errc() && end == text->data() + text->size();
    if (!whole || !(number >= 0 && number <= 1)) {
      return Complain(last_, key, "must be a number, 0 to 1");
    }
    value = number;
  }

  void Flag(std::string_view key, bool& value) override {
    const auto text = PlainScalar(key, "true or false");
    if (!text) return;
    if (*text != "true" && *text != "false") return Complain(last_, key, "must be true or false");
    value = *text == "true";
  }

  void Text(std::string_view key, const std::string&, const SetText& set) override {
    const YAML::Node node = Take(key);
    if (node.IsDefined()) SetFrom(node, key, set);
  }

  void TextOrNull(std::string_view key, const std::string&, const SetText& set) override {
    const YAML::Node node = Take(key);
    if (node.IsDefined() && !node.IsNull()) SetFrom(node, key, set);
  }

  void Texts(std::string_view key, std::vector<std::string>& values, size_t count_max,
             const SetText& check) override {
    const auto items = Items(key, 0, count_max);
    if (!items) return;
    std::vector<std::string> texts;
    for (const YAML::Node& item : *items) {
      if (!SetFrom(item, key, check)) return;
      texts.push_back(item.Scalar());
    }
    values = std::move(texts);
  }

  size_t BeginList(std::string_view key, size_t, size_t count_max) override {
    list_key_ = key;
    list_ = Items(key, 0, count_max).value_or(std::vector<YAML::Node>());
    next_item_ = 0;
    return list_.size();
  }
  void BeginItem() override {
    const YAML::Node& node = list_[next_item_];
    const std::string key = list_key_ + "[" + std::to_string(next_item_++) + "]";
    if (!node.IsMap()) Complain(node, key, "must hold keys of its own");
    Open(node.IsMap() ? node : YAML::Node(YAML::NodeType::Map), key);
  }
  void EndItem() override { EndSection(); }
  void EndList() override {}

  // After the visit: what is wrong, in the order of the file, each as "name:line: ...".
  Status Finish(const std::string& name) {
    EndSection();
    if (complaints_.empty()) return {};
    std::stable_sort(complaints_.begin(), complaints_.end(),
                     [](const Complaint& a, const Complaint& b) { return a.line < b.line; });
    std::string message;
    for (const Complaint& complaint : complaints_) {
      if (!message.empty()) message += '\n';
      message += name + ":" + std::to_string(complaint.line) + ": " + complaint.text;
    }
    return Refused(std::move(message));
  }

 private:
  struct Frame {
    YAML::Node node;
    std::string path;  // "" or "delivery." or "delivery.retry."
    std::set<std::string, std::less<>> taken;
  };

  void Open(const YAML::Node& node, std::string_view key) {
    std::string path = frames_.empty() ? "" : frames_.back().path + std::string(key) + ".";
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (entry.first.IsScalar() && !seen.insert(entry.first.Scalar()).second) {
        complaints_.push_back(
            {entry.first.Mark().line + 1, path + Shown(entry.first.Scalar()) + ": given twice"});
      }
    }
    frames_.push_back({node, std::move(path), {}});
  }

  void Complain(const YAML::Node& node, std::string_view key, const std::string& what) {
    complaints_.push_back(
        {node.Mark().line + 1, frames_.back().path + std::string(key) + ": " + what});
  }

  // The node under `key` in the present section; undefined when it is left out.
  YAML::Node Take(std::string_view key) {
    Frame& frame = frames_.back();
    frame.taken.emplace(key);
    for (const auto& entry : frame.node) {
      if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }

  std::optional<std::string> PlainScalar(std::string_view key, std::string_view kind) {
    last_.reset(Take(key));
    if (!last_.IsDefined()) return std::nullopt;
    if (!last_.IsScalar() || last_.Tag() != kPlain) {
      Complain(last_, key, "must be " + std::string(kind));
      return std::nullopt;
    }
    return last_.Scalar();
  }

  std::optional<int64_t> OneDuration(const YAML::Node& node, std::string_view key, int64_t min_ms,
                                     int64_t max_ms) {
    const bool plain = node.IsScalar() && node.Tag() == kPlain;
    const auto parsed = plain ? ParseDuration(node.Scalar()) : std::nullopt;
    if (!parsed || *parsed < min_ms || *parsed > max_ms) {
      Complain(
          node, key,
          "must be a duration like 15s, " + Range(FormatDuration(min_ms), FormatDuration(max_ms)));
      return std::nullopt;
    }
    return parsed;
  }

  std::optional<std::vector<YAML::Node>> Items(std::string_view key, size_t min, size_t max) {
    const YAML::Node node = Take(key);
    if (!node.IsDefined()) return std::nullopt;
    if (!node.IsSequence() || node.size() < min || node.size() > max) {
      Complain(node, key,
               "must be a list of " + Range(std::to_string(min), std::to_string(max)) +
                   " entries like [a, b]");
      return std::nullopt;
    }
    return std::vector<YAML::Node>(node.begin(), node.end());
  }

  bool SetFrom(const YAML::Node& node, std::string_view key, const SetText& set) {
    if (!node.IsScalar() || (node.Tag() != kPlain && node.Tag() != kQuoted)) {
      Complain(node, key, "must be text");
      return false;
    }
    const Status status = set(node.Scalar());
    if (!status.ok()) Complain(node, key, Shown(node.Scalar()) + ": " + status.message());
    return status.ok();
  }

  std::vector<Frame> frames_;
  std::vector<Complaint> complaints_;
  YAML::Node last_;
  std::string list_key_;
  std::vector<YAML::Node> list_;
  size_t next_item_ = 0;
};

class Writer final : public ConfigVisitor {
 public:
  Writer() {
    out_.SetNullFormat(YAML::LowerNull);
    out_ << YAML::BeginMap;
  }
  void BeginSection(std::string_view key) override { Key(key) << YAML::BeginMap; }
  void EndSection() override { out_ << YAML::EndMap; }
  void Count(std::string_view key, uint64_t& value, uint64_t, uint64_t) override {
    Key(key) << value;
  }
  void Bytes(std::string_view key, uint64_t& value, uint64_t, uint64_t) override {
    Key(key) << FormatByteSize(value);
  }
  void Duration(std::string_view key, int64_t& value_ms, int64_t, int64_t) override {
    Key(key) << FormatDuration(value_ms);
  }
  void Durations(std::string_view key, std::vector<int64_t>& values_ms, size_t, int64_t,
                 int64_t) override {
    Key(key) << YAML::Flow << YAML::BeginSeq;
    for (const int64_t value_ms : values_ms) out_ << FormatDuration(value_ms);
    out_ << YAML::EndSeq;
  }
  void Fraction(std::string_view key, double& value) override {
    // The shortest text that reads back as the same number.
    std::array<char, 32> text{};
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
    Key(key) << std::string(text.data(), result.ptr);
  }
  void Flag(std::string_view key, bool& value) override { Key(key) << value; }
  void Text(std::string_view key, const std::string& value, const SetText&) override {
    Key(key) << value;
  }
  void TextOrNull(std::string_view key, const std::string& value, const SetText&) override {
    if (value.empty()) {
      Key(key) << YAML::Null;
    } else {
      Key(key) << value;
    }
  }
  void Texts(std::string_view key, std::vector<std::string>& values, size_t,
             const SetText&) override {
    Key(key) << YAML::Flow << values;
  }

  size_t BeginList(std::string_view key, size_t count, size_t) override {
    Key(key);
    if (count == 0) out_ << YAML::Flow;
    out_ << YAML::BeginSeq;
    return count;
  }
  void BeginItem() override { out_ << YAML::BeginMap; }
  void EndItem() override { out_ << YAML::EndMap; }
  void EndList() override { out_ << YAML::EndSeq; }

  std::string Finish() {
    EndSection();
    return std::string(out_.c_str()) + "\n";
  }

 private:
  YAML::Emitter& Key(std::string_view key) {
    return out_ << YAML::Key << std::string(key) << YAML::Value;
  }

  YAML::Emitter out_;
};

Result<Config> ReadTree(const YAML::Node& root, const std::string& name) {
  if (!root.IsMap()) return Refused(name + ":1: the file must hold keys like `listen: ...`");
  Config config;
  Reader reader(root);
  VisitConfig(reader, config);
  if (Status status = reader.Finish(name); !status.ok()) return status;
  return config;
}

Status CheckPair(const Config::Delivery::Tls::Settings& tls, const std::string& at) {
  if (tls.cert.empty() == tls.key.empty()) return {};
  return Refused(at + (tls.cert.empty() ? "cert: is missing, and there is a key"
                                        : "key: is missing, and there is a cert"));
}

Status CheckTls(const Config::Delivery::Tls& tls) {
  if (Status s = CheckPair(tls.others, "delivery.tls."); !s.ok()) return s;
  for (size_t i = 0; i < tls.profiles.size(); ++i) {
    const std::string at = "delivery.tls.profiles[" + std::to_string(i) + "].";
    if (tls.profiles[i].target.empty()) return Refused(at + "target: is missing");
    if (Status s = CheckPair(tls.profiles[i].settings, at); !s.ok()) return s;
  }
  return {};
}

Status CheckAuth(const Config::Auth& auth) {
  if ((auth.mode == "token") == !auth.tokens_file.empty()) return {};
  if (auth.mode == "token") {
    return Refused(
        "auth.tokens_file: is missing, and auth.mode is token; `belfry token create "
        "--user NAME --tokens-file FILE` makes one");
  }
  return Refused(
      "auth.tokens_file: is set, but auth.mode is none and nobody would need a token; "
      "set auth.mode: token");
}

Status FileError(const std::string& path) {
  return Refused(path + ": cannot be read: " + std::strerror(errno));
}

Result<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  std::array<char, 16 * 1024> buffer{};
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kFileBytesMax) return Refused(path + ": is longer than 1MiB");
  }
}

}  // namespace

Config DevelopmentConfig() {
  Config config;
  config.data = "./data";
  config.delivery.targets.allow = {"public", "private", "loopback"};
  return config;
}

Result<Config> ParseConfig(std::string_view text, const std::string& name) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) return Refused(name + ": holds more than one document");
    if (documents.empty() || documents[0].IsNull()) return Config();
    return ReadTree(documents[0], name);
  } catch (const YAML::Exception& error) {
    return Refused(name + ":" + std::to_string(error.mark.line + 1) +
                   ": is not YAML: " + error.msg);
  }
}

Result<Config> LoadConfig(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(path);
  auto text = ReadAll(fd, path);
  close(fd);
  if (!text.ok()) return text.status();
  return ParseConfig(text.value(), path);
}

Status CheckConfig(const Config& config) {
  if (config.auth.mode == "none" && !config.listen.IsLocal()) {
    return Refused("listen: " + FormatListenAddress(config.listen) +
                   " can be reached from other machines, and auth.mode is none: anybody could set "
                   "and cancel timers. Make tokens (belfry token create --user NAME --tokens-file "
                   "FILE) and set auth: {mode: token, tokens_file: FILE}, or listen on "
                   "127.0.0.1:PORT, [::1]:PORT or unix:PATH");
  }
  if (Status s = CheckAuth(config.auth); !s.ok()) return s;
  const Config::Delivery::Breaker& breaker = config.delivery.breaker;
  if (breaker.probe_min_ms > breaker.probe_max_ms) {
    return Refused("delivery.breaker.probe_max: " + FormatDuration(breaker.probe_max_ms) +
                   " is less than probe_min, " + FormatDuration(breaker.probe_min_ms));
  }
  if (Status s = CheckTls(config.delivery.tls); !s.ok()) return s;
  return CheckMemory(config.memory);
}

std::string FormatConfig(const Config& config) {
  Config copy = config;
  Writer writer;
  VisitConfig(writer, copy);
  return writer.Finish();
}

RetryPolicy DefaultRetry(const Config& config) {
  RetryPolicy policy;
  policy.max_attempts = static_cast<uint32_t>(config.delivery.retry.max_attempts);
  policy.schedule_ms = config.delivery.retry.schedule_ms;
  policy.jitter = config.delivery.retry.jitter;
  return policy;
}

}  // namespace belfry
