// name.h - names that users give to what is theirs, as they stand in paths. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry {

// What IsName (base/name.h) asks for, to follow the name of a member.
inline constexpr std::string_view kNameRule =
    "must be 1 to 128 characters of UTF-8, none of them a control character";

// The name that a segment of a path stands for; nullopt: none.
[[nodiscard]] std::optional<std::string> NameInPath(std::string_view segment);

}  // namespace belfry
