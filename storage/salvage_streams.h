// salvage_streams.h - the part of salvage.h that is about users and their streams. One thread.
#pragma once

#include "base/status.h"
#include "storage/kv.h"
#include "storage/salvage.h"

namespace belfry {

// kCorruption: what of users, leases and deadlines does not agree. A deadline without a lease is no
// harm: it goes when it is met.
[[nodiscard]] Status CheckStreams(const KvView& view);

// Once the timers are in `to`: a lease is kept, and its deadline is made of it where it was lost. A
// lease that ends before its deadline was renewed since: it lasts until then, or as long as a
// renewal can have promised when the clock was seen last; a later deadline is brought forward. Its
// user names it whatever became of their row. Of a lease and the same lease lapsed only the latter
// is kept. What a scan passed over is asked for by its key: a lease that its
// user or its deadline names, and a user of a lease or a deadline.
[[nodiscard]] Status SalvageStreams(const KvView& from, Kv* to, const LogFn& log, Salvaged* report);

}  // namespace belfry
