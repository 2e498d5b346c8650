// salvage_streams.h - the part of salvage.h that is about users and their streams. One thread.
#pragma once

#include "base/status.h"
#include "storage/kv.h"
#include "storage/salvage.h"

namespace belfry {

// kCorruption: what of users, leases and deadlines does not agree. A deadline without a lease is no
// harm: it goes when it is met.
[[nodiscard]] Status CheckStreams(const KvView& view);

// Once the timers are in `to`: a lease is kept with its deadline, and its user names it whatever
// became of their row.
[[nodiscard]] Status SalvageStreams(const KvView& from, Kv* to, const LogFn& log, Salvaged* report);

}  // namespace belfry
