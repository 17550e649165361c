// The embedded store: one SQLite file (WAL, synchronous=FULL) that one process owns, with a lock file beside it taken before all else.
// The whole state is held in memory (it is small) and answers reads; a change is on the disk before it is seen.
//
// A digest of all rows is part of every commit and is computed again when the file is opened: what a cut or damaged file holds is either
// exactly one committed state, or an error. A full disk refuses changes and keeps the state; a failed sync refuses all later ones too,
// because the kernel may have dropped the pages (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
#pragma once

#include <memory>
#include <string>

#include "libnlb/store/clock.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::store {

// Makes the folder (0750) when it is missing. unavailable: another process has it (its pid is named), or the disk refuses;
// bad_input: damaged, not ours, or of a newer version.
// `injected` is for tests: with it, watches never wait.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, Clock injected = {});

}  // namespace nlb::store
