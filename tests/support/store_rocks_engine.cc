#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "storage/rocks_kv.h"
#include "tests/support/store_engines.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

class RocksEngine final : public StoreEngine {
 public:
  std::unique_ptr<Kv> Open() override {
    const RocksMode mode = created_ ? RocksMode::kExisting : RocksMode::kCreate;
    created_ = true;
    Result<std::unique_ptr<Kv>> kv = OpenRocks(dir_.path() + "/db", {}, mode);
    if (!kv.ok()) CheckFailed(__FILE__, __LINE__, kv.status().message().c_str());
    return std::move(*kv);
  }

 private:
  TempDir dir_;
  bool created_ = false;
};

}  // namespace

std::unique_ptr<StoreEngine> MakeRocksEngine() { return std::make_unique<RocksEngine>(); }

}  // namespace belfry
