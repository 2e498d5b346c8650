// name.h - what people may call things: users and what belongs to them. Any thread; pure.
#pragma once

#include <string_view>

namespace belfry {

// 1 to kUserNameCharsMax code points of UTF-8, none of them a control character (C0, DEL, C1).
[[nodiscard]] bool IsName(std::string_view text);

}  // namespace belfry
