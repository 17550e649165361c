#include "libnlb/store/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb::store {

namespace {

std::string holder_of(int descriptor) {
  std::array<char, 32> text{};
  const auto size = ::pread(descriptor, text.data(), text.size(), 0);
  const std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return pid.empty() ? "another process" : "process " + pid.substr(0, pid.find('\n'));
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
  FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (lock.descriptor_ < 0)
    return fail(ErrorKind::unavailable, "open " + path + ": " + std::strerror(errno) + ": check the folder and its rights");
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorKind::unavailable, "lock " + path + ": " + holder_of(lock.descriptor_) + " has this store: stop it, or name another file");
  const auto pid = std::to_string(::getpid()) + "\n";         // for people: on a full disk it may be missing, the lock holds
  if (::ftruncate(lock.descriptor_, 0) == 0) (void)!::pwrite(lock.descriptor_, pid.data(), pid.size(), 0);
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace nlb::store
