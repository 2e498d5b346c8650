// store_engines.h - the engines that the store's contract is tested over. For tests.
#pragma once

#include <memory>
#include <string_view>

#include "tests/support/store_rig.h"

namespace belfry {

inline constexpr const char* kEngines[] = {"Memory", "Rocks"};

[[nodiscard]] std::unique_ptr<StoreEngine> MakeRocksEngine();

[[nodiscard]] inline std::unique_ptr<StoreEngine> MakeEngine(std::string_view name) {
  return name == "Memory" ? MakeMemoryEngine() : MakeRocksEngine();
}

}  // namespace belfry
