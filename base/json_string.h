// json_string.h - text as a JSON string. Any thread; pure.
#pragma once

#include <string>
#include <string_view>

namespace belfry {

// `text`, valid UTF-8, with its quotes and escapes.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace belfry
