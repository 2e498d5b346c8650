#include "storage/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "storage/reads.h"

namespace belfry {
namespace {

constexpr size_t kDamageSaidMax = 1000;

size_t KindOf(const Op& op) { return op.what.index(); }

// Reads the committed store instead of the batch, so it needs its own run.
bool EndsRun(const Op& op) {
  return std::holds_alternative<LoadOp>(op.what) || std::holds_alternative<LoadParkedOp>(op.what) ||
         std::holds_alternative<RetainOp>(op.what) || std::holds_alternative<ReplayStepOp>(op.what);
}

// Of the op that will ask `ids` where its timer is.
std::optional<std::pair<TenantId, TimerId>> AskedFor(const Op& op) {
  const Timer* timer = nullptr;
  if (const auto* settle = std::get_if<SettleOp>(&op.what)) timer = settle->timer.get();
  if (const auto* retry = std::get_if<RetryOp>(&op.what)) timer = retry->timer.get();
  if (const auto* park = std::get_if<ParkOp>(&op.what)) timer = park->timer.get();
  if (const auto* lapse = std::get_if<LapseStreamOp>(&op.what)) timer = lapse->deadline.get();
  if (timer != nullptr) return std::pair(timer->tenant, timer->id);
  if (const auto* erase = std::get_if<EraseByIdOp>(&op.what)) {
    return std::pair(erase->tenant, erase->id);
  }
  const auto* replay = std::get_if<ReplayByIdOp>(&op.what);
  return replay != nullptr ? std::optional(std::pair(replay->tenant, replay->id)) : std::nullopt;
}

}  // namespace

Status WithAdvice(Status status) {
  if (status.code() != StatusCode::kCorruption) return status;
  return Corruption(status.message() + std::string(kHowToAcceptLoss));
}

Ledger::Ledger(std::unique_ptr<Kv> kv, Books books, LogFn log)
    : kv_(std::move(kv)), books_(std::move(books)), durable_(books_.Bounds()) {
  log_ = [this, log = std::move(log)](std::string_view line) {
    if (log && said_.size() < kDamageSaidMax && said_.emplace(line).second) log(line);
  };
  kv_->drop_rule()->Set(durable_);
}

Result<std::unique_ptr<Ledger>> Ledger::Open(std::unique_ptr<Kv> kv, std::string new_store_id,
                                             LogFn log) {
  Result<Books> books = Books::Read(*kv);
  if (!books.ok()) return books.status();
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(kv), std::move(*books), std::move(log)));
  if (ledger->books_.store_id().empty()) {
    ledger->books_.Create(std::move(new_store_id));
    if (Status s = ledger->CommitBatch(); !s.ok()) return s;
  }
  ledger->opened_ = ledger->books_.State();
  return ledger;
}

Status Ledger::Apply(std::vector<Op> ops, std::vector<Completion>* done) {
  if (!failed_.ok()) return failed_;
  failed_ = WithAdvice(ApplyAll(ops, done));
  return failed_;
}

Status Ledger::ApplyAll(std::vector<Op>& ops, std::vector<Completion>* done) {
  for (size_t i = 0; i < ops.size(); ++i) {
    Op& op = ops[i];
    if (EndsRun(op)) {
      if (Status s = EndRun(done); !s.ok()) return s;
    }
    if (!read_ahead_) ReadAhead(ops, i);
    Completion completion;
    completion.kind = KindOf(op);
    completion.token = op.token;
    Status s = std::visit([&](auto& what) { return Do(what, &completion); }, op.what);
    if (!s.ok()) return s;
    pending_.push_back(std::move(completion));
    const bool is_floor = std::holds_alternative<FloorOp>(op.what);
    // A cancel brings no record along but moves one, so the batch is looked at here as well.
    if (EndsRun(op) || is_floor || batch_.bytes() >= kGroupBytesMax) {
      if (s = EndRun(done); !s.ok()) return s;
    }
    if (is_floor) {
      if (s = DropAllIfNothingIsLeft(); !s.ok()) return s;
    }
  }
  return EndRun(done);
}

Status Ledger::EndRun(std::vector<Completion>* done) {
  if (!batch_.empty() || books_.changed()) {
    if (Status s = CommitBatch(); !s.ok()) return s;
  }
  for (Completion& completion : pending_) done->push_back(std::move(completion));
  pending_.clear();
  read_ahead_ = false;
  return {};
}

Status Ledger::CommitBatch() {
  ahead_.clear();
  books_.Write(&batch_);
  if (Status s = kv_->Commit(batch_); !s.ok()) return s;
  batch_.Clear();
  if (bounds_changed_) {
    durable_ = books_.Bounds();
    kv_->drop_rule()->Set(durable_);
    bounds_changed_ = false;
  }
  return {};
}

void Ledger::ReadAhead(const std::vector<Op>& ops, size_t first) {
  read_ahead_ = true;
  ahead_.clear();
  std::vector<std::pair<TenantId, TimerId>> names;
  for (size_t i = first; i < ops.size() && !EndsRun(ops[i]); ++i) {
    if (const auto name = AskedFor(ops[i])) names.push_back(*name);
  }
  if (names.size() < 2) return;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<ShortKey> keys;
  keys.reserve(names.size());
  for (const auto& [tenant, id] : names) keys.push_back(IdKey(tenant, id));
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  kv_->GetMany(Cf::kIds, views, [&](size_t i, const auto& found) {
    ahead_.emplace(names[i], EntryFrom(keys[i], found));
  });
}

Result<Found> Ledger::Get(Cf cf, std::string_view key) {
  if (blind_) return kv_->Get(cf, key);
  std::string_view value;
  switch (batch_.Find(cf, key, &value)) {
    case Batch::Seen::kPut:
      return Found(std::string(value));
    case Batch::Seen::kDeleted:
      return Found();
    case Batch::Seen::kNothing:
      break;
  }
  return kv_->Get(cf, key);
}

QueryResult Ledger::Run(const Query& query) const { return Answer(*kv_, query); }

std::optional<QueryResult> Ledger::RunFromMemory(const Query& query) const {
  return AnswerFromMemory(*kv_, query);
}

Status Ledger::RaisePast(TimerId last_id, uint64_t commit_no) {
  books_.RaiseLastId(last_id);
  books_.RaiseCommitNo(commit_no);
  books_.SkipTenants();
  return CommitAsOpened();
}

Status Ledger::CountIn(TenantId tenant, uint64_t count, TimerId last_id) {
  books_.RaiseLastId(last_id);
  if (Status s = books_.Count(tenant, TimerState::kPending, static_cast<int64_t>(count)); !s.ok()) {
    return s;
  }
  return CommitAsOpened();
}

Status Ledger::CommitAsOpened() {
  Status s = CommitBatch();
  opened_ = books_.State();
  return s;
}

}  // namespace belfry
