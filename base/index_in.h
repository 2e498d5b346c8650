// index_in.h - which alternative of a variant a type is: what its index() says.
#pragma once

#include <cstddef>
#include <variant>

namespace belfry {

template <typename T, typename Variant>
struct IndexIn;
template <typename T, typename... Rest>
struct IndexIn<T, std::variant<T, Rest...>> {
  static constexpr size_t value = 0;
};
template <typename T, typename First, typename... Rest>
struct IndexIn<T, std::variant<First, Rest...>> {
  static constexpr size_t value = 1 + IndexIn<T, std::variant<Rest...>>::value;
};

}  // namespace belfry
