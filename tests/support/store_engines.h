// store_engines.h - the engines that the store's contract is tested over. For tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/store_rig.h"

namespace belfry {

inline constexpr const char* kEngines[] = {"Memory", "Rocks"};

[[nodiscard]] std::unique_ptr<StoreEngine> MakeRocksEngine();

[[nodiscard]] inline std::unique_ptr<StoreEngine> MakeEngine(std::string_view name) {
  return name == "Memory" ? MakeMemoryEngine() : MakeRocksEngine();
}

// A fresh rig over each engine: INSTANTIATE_OVER_ENGINES(Suite) once for a suite derived from it.
class OverEngines : public testing::TestWithParam<const char*> {
 protected:
  StoreRig rig_{MakeEngine(GetParam())};
};

#define INSTANTIATE_OVER_ENGINES(suite)                                 \
  INSTANTIATE_TEST_SUITE_P(Engines, suite, testing::ValuesIn(kEngines), \
                           [](const auto& info) { return std::string(info.param); })

}  // namespace belfry
