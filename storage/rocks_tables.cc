#include "storage/rocks_tables.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>

#include "storage/rocks_options.h"
#include "storage/rocks_status.h"

namespace belfry {
namespace {

constexpr uint64_t kTableBytes = uint64_t{256} << 20;

RocksSettings SettingsFor(const RocksOptions& options) {
  return RocksSettingsFor(options, RocksMode::kExisting, std::make_shared<DropRule>());
}

}  // namespace

struct TableWriter::Table {
  Table(const RocksOptions& options, Cf cf) : Table(SettingsFor(options), cf) {}
  Table(const RocksSettings& all, Cf cf)
      : settings(all.db, all.families[static_cast<size_t>(cf)].options),
        writer(rocksdb::EnvOptions(), settings) {}

  rocksdb::Options settings;
  rocksdb::SstFileWriter writer;
  bool open = false;
};

TableWriter::TableWriter(const RocksOptions& options, Cf cf, std::string prefix)
    : table_(std::make_unique<Table>(options, cf)), prefix_(std::move(prefix)) {}

TableWriter::~TableWriter() {
  table_.reset();
  std::error_code ignored;
  for (const std::string& file : files_) std::filesystem::remove(file, ignored);
}

Status TableWriter::Add(std::string_view key, std::string_view value) {
  if (table_->open && table_->writer.FileSize() >= kTableBytes) {
    if (Status s = CloseTable(); !s.ok()) return s;
  }
  if (!table_->open) {
    files_.push_back(prefix_ + std::to_string(files_.size()) + ".sst");
    if (Status s = RocksStatus(table_->writer.Open(files_.back())); !s.ok()) return s;
    table_->open = true;
  }
  return RocksStatus(table_->writer.Put(RocksSlice(key), RocksSlice(value)));
}

Status TableWriter::CloseTable() {
  table_->open = false;
  finished_bytes_ += table_->writer.FileSize();
  return RocksStatus(table_->writer.Finish());
}

Status TableWriter::Finish() { return table_->open ? CloseTable() : Status(); }

uint64_t TableWriter::bytes() const {
  return finished_bytes_ + (table_->open ? table_->writer.FileSize() : 0);
}

Status IngestTables(const std::string& db, const RocksOptions& options, const TableFiles& files) {
  const RocksSettings settings = SettingsFor(options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  Status s = RocksStatus(rocksdb::DB::Open(settings.db, db, settings.families, &handles, &opened));
  if (!s.ok()) return s;
  const std::unique_ptr<rocksdb::DB> owned(opened);
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (const auto& [cf, paths] : files) {
    if (paths.empty()) continue;
    rocksdb::IngestExternalFileArg argument;
    argument.column_family = handles[static_cast<size_t>(cf)];
    argument.external_files = paths;
    argument.options.move_files = true;
    arguments.push_back(std::move(argument));
  }
  if (!arguments.empty()) s = RocksStatus(owned->IngestExternalFiles(arguments));
  for (rocksdb::ColumnFamilyHandle* handle : handles) owned->DestroyColumnFamilyHandle(handle);
  const Status closed = RocksStatus(owned->Close());
  return s.ok() ? closed : s;
}

}  // namespace belfry
