#include "web/pages/markdown.h"

#include <regex>

namespace belfry {
namespace {

// A blank line ends a block, and so does the `- ` of the next item.
class Blocks {
 public:
  void Line(std::string_view line) {
    const bool item = line.starts_with("- ");
    if (line.empty() || item) Flush();
    if (item) {
      if (!in_list_) html_ += "<ul>\n";
      in_list_ = true;
      in_item_ = true;
      line.remove_prefix(2);
    }
    while (line.starts_with(' ')) line.remove_prefix(1);
    if (line.empty()) return;
    if (!text_.empty()) text_ += ' ';
    text_ += line;
  }
  std::string Take() {
    Flush();
    EndList();
    return std::move(html_);
  }

 private:
  void Flush() {
    if (text_.empty()) return;
    if (in_item_) {
      html_ += "<li>" + InlineHtml(text_) + "</li>\n";
    } else {
      EndList();
      html_ += "<p>" + InlineHtml(text_) + "</p>\n";
    }
    in_item_ = false;
    text_.clear();
  }
  void EndList() {
    if (in_list_) html_ += "</ul>\n";
    in_list_ = false;
  }

  std::string html_;
  std::string text_;
  bool in_list_ = false;
  bool in_item_ = false;
};

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string InlineHtml(std::string_view text) {
  static const std::regex kBold(R"(\*\*([^*]+)\*\*)");
  static const std::regex kLink(R"(\[([^\]]+)\]\((https?://[^)\s]+|/[^)\s]*)\))");
  std::string out;
  // What stands between two back-ticks is code, and nothing in it means anything else.
  bool code = false;
  while (true) {
    const size_t tick = text.find('`');
    const std::string piece = EscapeHtml(text.substr(0, tick));
    if (code) {
      out += "<code>" + piece + "</code>";
    } else {
      out += std::regex_replace(std::regex_replace(piece, kBold, "<strong>$1</strong>"), kLink,
                                "<a href=\"$2\">$1</a>");
    }
    if (tick == std::string_view::npos) return out;
    text.remove_prefix(tick + 1);
    code = !code;
  }
}

std::string MarkdownHtml(std::string_view text) {
  Blocks blocks;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    blocks.Line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return blocks.Take();
}

}  // namespace belfry
