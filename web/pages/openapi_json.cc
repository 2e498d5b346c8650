#include "web/pages/openapi_json.h"

#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <regex>
#include <string_view>

namespace belfry {
namespace {

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.append("\\").push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

bool IsBare(const std::string& text) {
  static const std::regex kBare("null|true|false|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  return std::regex_match(text, kBare);
}

class Writer {
 public:
  Writer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void Write(const YAML::Node& node) {
    switch (node.Type()) {
      case YAML::NodeType::Map:
        Open('{');
        for (const auto& member : node) {
          NextLine();
          AppendString(out_, member.first.Scalar());
          out_ += indent_ > 0 ? ": " : ":";
          Write(member.second);
        }
        Close('}');
        break;
      case YAML::NodeType::Sequence:
        Open('[');
        for (const auto& element : node) {
          NextLine();
          Write(element);
        }
        Close(']');
        break;
      case YAML::NodeType::Scalar:
        if (node.Tag() == "?" && IsBare(node.Scalar())) {
          out_ += node.Scalar();
        } else {
          AppendString(out_, node.Scalar());
        }
        break;
      default:
        out_ += "null";
    }
  }

 private:
  void Open(char bracket) {
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void NextLine() {
    if (!first_) out_ += ',';
    first_ = false;
    Break();
  }
  void Close(char bracket) {
    --depth_;
    if (!first_) Break();
    first_ = false;
    out_ += bracket;
  }
  void Break() {
    if (indent_ > 0) out_.append("\n").append(static_cast<size_t>(indent_ * depth_), ' ');
  }

  std::string& out_;
  const int indent_;
  int depth_ = 0;
  bool first_ = true;
};

}  // namespace

std::string JsonOf(const YAML::Node& node, int indent) {
  std::string out;
  Writer(out, indent).Write(node);
  return out;
}

}  // namespace belfry
