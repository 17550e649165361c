// One process per file: flock on a lock file beside it, held until destroyed or until the process is gone. SQLite's own locks would let
// two processes take turns, and each would believe that the state in its memory is the whole truth.
#pragma once

#include <string>

#include "libnlb/core/result.hpp"

namespace nlb::store {

class FileLock {
 public:
  static Result<FileLock> take(const std::string& path);   // unavailable names the holder's pid
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace nlb::store
