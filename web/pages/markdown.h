// markdown.h - the part of Markdown that openapi.yaml uses, to HTML. Runs at build time only.
//
// Paragraphs, lists of `- `, `code`, **bold** and [text](address); all else is text.
#pragma once

#include <string>
#include <string_view>

namespace belfry {

[[nodiscard]] std::string EscapeHtml(std::string_view text);
// One paragraph without its tags.
[[nodiscard]] std::string InlineHtml(std::string_view text);
[[nodiscard]] std::string MarkdownHtml(std::string_view text);

}  // namespace belfry
