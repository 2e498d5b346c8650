// ledger.h - the Store over a key-value engine: what each op reads and writes.
//
// Threads: as store.h says; Apply, RaisePast, Close and the figures on the commit thread, Run and
// opened() on any. Owns its engine.
//
// Every op decides on the commit thread and sees exactly the ops before it, those of its own batch
// included. A batch carries the commit number and all figures it changes (books.h), so any prefix
// of batches is a consistent store. After a failure every Apply fails.
//
// An op that breaks a rule of base/op.h (an id given twice, a key that is not where the timer is, a
// floor below an id given out) fails the store like a damaged record does: nothing is guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/batch.h"
#include "storage/books.h"
#include "storage/entry.h"
#include "storage/kv.h"
#include "storage/store.h"

namespace belfry {

inline constexpr std::string_view kHowToAcceptLoss =
    "; restore a backup, or start with --accept-data-loss to go on with what is left";
// Damage is said with what a person can do about it.
[[nodiscard]] Status WithAdvice(Status status);

class RowsToLeave;

class Ledger final : public Store {
 public:
  // Reads the figures. An empty engine becomes a store with the id `new_store_id` (10 characters).
  // `log` is told of damage that is passed over; see Do(RetainOp&).
  [[nodiscard]] static Result<std::unique_ptr<Ledger>> Open(std::unique_ptr<Kv> kv,
                                                            std::string new_store_id,
                                                            LogFn log = {});

  [[nodiscard]] const StoreState& opened() const override { return opened_; }
  [[nodiscard]] Status Apply(std::vector<Op> ops, std::vector<Completion>* done) override;
  [[nodiscard]] QueryResult Run(const Query& query) const override;
  [[nodiscard]] std::optional<QueryResult> RunFromMemory(const Query& query) const override;

  // Ids and commit numbers at or below these are never used again, nor are the tenants of users who
  // may have been lost. Before the first Apply only.
  [[nodiscard]] Status RaisePast(TimerId last_id, uint64_t commit_no);

  // The tables of `count` pending timers were moved in beside the ledger. Before the first Apply.
  [[nodiscard]] Status CountIn(TenantId tenant, uint64_t count, TimerId last_id);

  // Of what was committed last.
  [[nodiscard]] uint64_t commit_no() const { return books_.commit_no(); }
  [[nodiscard]] TimerId last_id() const { return books_.last_id(); }
  // Not OK once the engine failed behind the scenes.
  [[nodiscard]] Status Health() const { return WithAdvice(kv_->Health()); }
  [[nodiscard]] Status Close() { return kv_->Close(); }
  // As in kv.h, also after Close.
  [[nodiscard]] WrittenBytes written() const { return kv_->written(); }
  [[nodiscard]] HeldBytes held() const { return kv_->held(); }

 private:
  // Where retention stands within one step.
  struct Sweep {
    WallMs before;
    size_t removed = 0;
    size_t removed_dead = 0;  // of these, dead letters
    size_t examined = 0;
    absl::flat_hash_set<TenantId> forgot = {};  // whose ids were removed
    [[nodiscard]] bool Full() const;
  };

  Ledger(std::unique_ptr<Kv> kv, Books books, LogFn log);

  // Each op adds to the batch and fills in its completion.
  Status Do(PutOp& op, Completion* done);
  Status Do(SettleOp& op, Completion* done);
  Status Do(RetryOp& op, Completion* done);
  Status Do(EraseByIdOp& op, Completion* done);
  Status Do(FloorOp& op, Completion* done);
  Status Do(MarkOp& op, Completion* done);
  Status Do(ParkOp& op, Completion* done);
  Status Do(PauseOp& op, Completion* done);
  Status Do(ReplayByIdOp& op, Completion* done);
  Status Do(ReplayRangeOp& op, Completion* done);
  Status Do(TenantOp& op, Completion* done);
  Status Do(StopwatchPutOp& op, Completion* done);
  Status Do(StopwatchDeleteOp& op, Completion* done);
  Status Do(PutUserOp& op, Completion* done);
  Status Do(DeleteUserOp& op, Completion* done);
  Status Do(StartStreamOp& op, Completion* done);
  Status Do(RenewStreamOp& op, Completion* done);
  Status Do(EndStreamOp& op, Completion* done);
  Status Do(LapseStreamOp& op, Completion* done);
  // These four run on an empty batch and read what is committed.
  Status Do(LoadOp& op, Completion* done);
  Status Do(LoadParkedOp& op, Completion* done);
  Status Do(ReplayStepOp& op, Completion* done);
  // Nobody waits for what has ended: a row of `done`, `dead` or `once` that cannot be read is told
  // of once and passed. Its entry in `ids` stays.
  Status Do(RetainOp& op, Completion* done);

  Status ApplyAll(std::vector<Op>& ops, std::vector<Completion>* done);
  // Commits the batch; hands the completions of its ops over once it is durable.
  Status EndRun(std::vector<Completion>* done);
  Status CommitBatch();
  // Before the first Apply: what it leaves is what was opened.
  Status CommitAsOpened();

  // The newest value, this batch's own writes included.
  Result<Found> Get(Cf cf, std::string_view key);
  // Reads what `ids` says of the timers that the ops from `first` on will ask for, up to the next
  // commit: one read for many costs a fraction of one for each.
  void ReadAhead(const std::vector<Op>& ops, size_t first);
  // nullopt: no such timer, or it is at or below its tenant's floor.
  Result<std::optional<IdEntry>> FindEntry(TenantId tenant, TimerId id);
  // Of what is kept under `key` in `ids`.
  static Result<std::optional<IdEntry>> EntryFrom(
      std::string_view key, const Result<std::optional<std::string_view>>& found);
  // The entry of the live timer that an op names at `key`; nullopt: there is none any more.
  // kCorruption when it is elsewhere.
  Result<std::optional<IdEntry>> FindAt(const Timer& timer, Key key);
  // What the entry points to.
  Result<TimerPtr> ReadRecord(TenantId tenant, TimerId id, const IdEntry& entry);
  // `answered`: the key made a timer not long ago, and `done` says what the repeat gets.
  Status LookUpOnce(const PutOp& op, Completion* done, bool* answered);
  Status PutOnce(const PutOp& op);
  // A timer of which nothing is stored yet. kInvalid: its id was given out before.
  Status PutNew(const Timer& timer);

  Status Erase(const EraseByIdOp& op, Completion* done);
  Status PutDue(const Timer& timer);
  Status PutEnded(const Timer& timer);
  void PutEntry(const Timer& timer, TargetNumber parked = 0);
  // Moves a live timer from where it is to where its new state belongs.
  Status End(const IdEntry& old, const Timer& timer);
  void LowerLow(WallMs at);
  Status PutParked(const Timer& timer, TargetNumber number);
  // Adds rows of `due` or `parked` to the page, up to its bounds.
  Status FillPage(Cf cf, KvIterator* rows, size_t rows_max, size_t bytes_max, RowsToLeave* leave,
                  LoadedPage* page);
  // A dead timer becomes as it is stored when it is brought back at `now`.
  Status Revive(Timer* timer, WallMs now);
  Status ReviveRow(const Books::Replay& replay, Key key, std::string_view record, WallMs now,
                   Completion* done, bool* left);

  // By the key of its row; nullopt: there is none.
  Result<std::optional<StreamUser>> FindUser(std::string_view key);
  Result<std::optional<Lease>> FindLease(std::string_view key);
  Result<Lease> NamedLease(std::string_view key);
  void PutUser(std::string_view key, const StreamUser& user);
  void DeleteUser(std::string_view key);
  void PutLease(std::string_view key, const Lease& lease);
  Result<IdEntry> FindDeadline(TimerId id);
  // Adds its id to those that `done`, if there is one, tells of.
  Status RemoveDeadline(TimerId id, Completion* done);
  // The lease of this row has a new expires_at, before the one it had.
  Status BringForward(std::string_view key, const Lease& lease, Completion* done);
  Status EndLease(const StreamName& name, const Lease& lease, WallMs now, StreamUser* user,
                  Completion* done);
  Status CountOut(const StreamName& name, WallMs expired_at);
  Status RefuseLapsed(const RenewStreamOp& op, Completion* done);
  Result<WallMs> MakeRoom(const StreamStart& start, StreamUser* user, Completion* done);
  // Whether it is refused because another was, and nothing has changed since; says so in `done`.
  bool KnownFull(const StreamStart& start, const std::string& user_key, Completion* done) const;
  void NoteFull(const StreamStart& start, const std::string& user_key, Completion* done,
                const StreamUser& user, WallMs until);
  // A row of the user's, or of a lease of theirs, is about to change.
  void ForgetFull(std::string_view key);
  Status AddStream(const StreamStart& start, StreamUser* user, Completion* done);

  Status SweepDone(const KvView& view, Sweep* sweep);
  Status SweepDead(const KvView& view, TenantId tenant, Sweep* sweep);
  Status SweepOnce(const KvView& view, Sweep* sweep);
  // Right after a floor was committed: what no timer is counted in any more is thrown away by file.
  Status DropAllIfNothingIsLeft();
  Status Forget(TenantId tenant, Key finished, bool dead, Sweep* sweep);
  // Lets lists begin behind what was forgotten from the front.
  Status RaiseFirstId(const KvView& view, TenantId tenant);

  // A user that had no room at `from`; nothing of theirs lapses before `until`.
  struct Full {
    std::optional<uint32_t> limit;
    size_t active = 0;
    WallMs from;
    WallMs until;
  };

  std::unique_ptr<Kv> kv_;
  Books books_;
  StoreState opened_;
  Status failed_;
  Batch batch_;
  std::vector<Completion> pending_;  // of the ops in batch_
  DropBounds durable_;               // what drop_rule was last told
  bool bounds_changed_ = false;
  // As committed. An error counts only when an op asks.
  absl::flat_hash_map<std::pair<TenantId, TimerId>, Result<std::optional<IdEntry>>> ahead_;
  bool read_ahead_ = false;                      // of the run that is being built
  bool blind_ = false;                           // planted: Get does not see the batch
  absl::flat_hash_map<std::string, Full> full_;  // by the key of a user; see ForgetFull
  std::string scratch_;                          // a record being encoded
  LogFn log_;                                    // each line once
  absl::flat_hash_set<std::string> said_;
};

}  // namespace belfry
