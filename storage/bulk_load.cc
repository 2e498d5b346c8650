#include "storage/bulk_load.h"

#include <utility>

#include "storage/data_dir_open.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"

namespace belfry {

Result<std::unique_ptr<BulkLoad>> BulkLoad::Begin(const DataDirOptions& options) {
  auto data = DataDir::Open(options);
  if (!data.ok()) return data.status();
  if ((*data)->store().last_id() != 0) return Refused(options.path + " holds timers already");
  if (Status s = (*data)->CloseCleanly(); !s.ok()) return s;
  return std::unique_ptr<BulkLoad>(new BulkLoad(options));
}

BulkLoad::BulkLoad(DataDirOptions options)
    : options_(std::move(options)),
      records_(options_.rocks, Cf::kDue, options_.path + "/load-due-"),
      entries_(options_.rocks, Cf::kIds, options_.path + "/load-ids-") {}

Status BulkLoad::AddRecord(const Timer& timer) {
  const ShortKey key = TimeKey(KeyOf(timer));
  if (Status s = EncodeTimer(key, timer, &scratch_); !s.ok()) return s;
  ++record_count_;
  last_id_ = std::max(last_id_, timer.id);
  return records_.Add(key, scratch_);
}

Status BulkLoad::AddEntry(const Timer& timer) {
  const ShortKey key = IdKey(timer.tenant, timer.id);
  ++entry_count_;
  return entries_.Add(key, EncodeIdEntry(key, EntryOf(timer)));
}

Status BulkLoad::Finish() {
  if (record_count_ != entry_count_) return Invalid("records and entries differ in number");
  if (Status s = records_.Finish(); !s.ok()) return s;
  if (Status s = entries_.Finish(); !s.ok()) return s;
  const DataPaths paths(options_.path);
  const Status taken = IngestTables(paths.db, options_.rocks,
                                    {{Cf::kDue, records_.files()}, {Cf::kIds, entries_.files()}});
  if (!taken.ok()) return taken;
  auto data = DataDir::Open(options_);
  if (!data.ok()) return data.status();
  Status counted = (*data)->store().CountIn(kLocalTenant, record_count_, last_id_);
  if (!counted.ok()) return counted;
  return (*data)->CloseCleanly();
}

}  // namespace belfry
