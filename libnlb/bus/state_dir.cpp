#include "libnlb/bus/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

namespace nlb::bus {

namespace {

tl::unexpected<Error> failed(const std::string& what, int error) {
  return fail(ErrorKind::unavailable, what + ": " + std::strerror(error) + ": check the state directory and its rights");
}

Result<> write_durably(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return failed("write " + path, errno);
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  return written ? Result<>() : failed("write " + path, error);
}

Result<> sync_directory(const std::string& directory) {
  const int d = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (d < 0) return failed("open " + directory, errno);
  const bool done = ::fsync(d) == 0;
  const int error = errno;
  ::close(d);
  return done ? Result<>() : failed("sync " + directory, error);
}

std::uint64_t number_in(const std::string& path) {      // 0: absent or damaged
  std::string text;
  std::ifstream(path) >> text;
  std::uint64_t stored = 0;
  std::from_chars(text.data(), text.data() + text.size(), stored);
  return stored;
}

Result<std::uint64_t> keep_number(const std::string& directory, const std::string& name, std::uint64_t number) {
  const auto path = directory + "/" + name;
  if (auto written = write_durably(path + ".new", std::to_string(number) + "\n"); !written) return tl::unexpected(written.error());
  if (::rename((path + ".new").c_str(), path.c_str()) != 0) return failed("rename " + path, errno);
  if (auto synced = sync_directory(directory); !synced) return tl::unexpected(synced.error());
  return number;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  std::error_code error;
  if (std::filesystem::create_directories(directory, error)) ::chmod(directory.c_str(), 0750);
  const auto path = directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return failed("open " + path, errno);
  DirectoryLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    std::string pid;
    std::ifstream(path) >> pid;
    return fail(ErrorKind::unavailable, "lock " + path + ": process " + (pid.empty() ? "?" : pid) +
                                            " has it: stop that one, or give this one another state directory");
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) < 0) return failed("write " + path, errno);
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::uint64_t> next_epoch(const std::string& directory, std::uint64_t unix_us) {
  return keep_number(directory, "epoch", std::max(number_in(directory + "/epoch") + 1, unix_us));      // damaged: the clock decides
}

Result<std::uint64_t> owner_id(const std::string& directory, std::uint64_t drawn) {
  const auto kept = number_in(directory + "/owner");
  return kept != 0 ? Result<std::uint64_t>(kept) : keep_number(directory, "owner", std::max<std::uint64_t>(drawn >> 11, 1));
}

}  // namespace nlb::bus
