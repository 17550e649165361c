// One process per state directory, and the epoch that never decreases while the directory lives. Take the lock before any bind: a second
// bind to an ipc path succeeds and silently steals it.
#pragma once

#include <cstdint>
#include <string>

#include "libnlb/core/result.hpp"

namespace nlb::bus {

class DirectoryLock {          // flock on <directory>/lock; held until destroyed, or until the process is gone
 public:
  static Result<DirectoryLock> take(const std::string& directory);   // makes the directory (0750); unavailable names the holder's pid
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// The next epoch: max(stored + 1, microseconds since 1970), on the disk (fsync of file and directory) before it is returned.
// Microseconds, because with seconds a lost disk and a restart within one second would give two lives the same epoch.
Result<std::uint64_t> next_epoch(const std::string& directory, std::uint64_t unix_us);

// Who the owner of this directory is: `drawn` the first time, then what was kept. Not 0; 53 bits, so that it survives as a number of JSON.
Result<std::uint64_t> owner_id(const std::string& directory, std::uint64_t drawn);

}  // namespace nlb::bus
