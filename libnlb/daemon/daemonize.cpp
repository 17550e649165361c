#include "libnlb/daemon/daemonize.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/daemon/reason.hpp"

namespace nlb::daemon {
namespace {

struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// Between our open and our lock its owner may have removed the file: then we hold a lock on a file that has no name.
bool is_still_the_file(int descriptor, const std::string& path) {
  struct stat ours{}, named{};
  return fstat(descriptor, &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

Error pid_file_held(int descriptor, const std::string& path) {
  auto holder = whole_file(F_WRLCK);
  fcntl(descriptor, F_GETLK, &holder);
  return {ErrorKind::conflict, "pid file " + path + " is held: process " + std::to_string(holder.l_pid) +
                                   " runs with it: stop that one first, or name another with --pid-file"};
}

Error pid_file_failed(const std::string& path) {
  return {ErrorKind::unavailable, "pid file " + path + " can't be written: " + reason() + ": name another with --pid-file"};
}

// Parent: waits for the child's word or its end.
ParentDone wait_for_child(pid_t child, int descriptor) {
  char word = 0;
  ssize_t got = 0;
  do got = ::read(descriptor, &word, 1); while (got < 0 && errno == EINTR);
  ::close(descriptor);
  if (got == 1) return {0};
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return {WEXITSTATUS(status)};
  std::cerr << "the daemon ended before it was ready"
            << (WIFSIGNALED(status) ? ": signal " + std::to_string(WTERMSIG(status)) : std::string()) << "\n";
  return {static_cast<int>(cli::ExitCode::internal)};
}

bool is_regular_file(int descriptor) {
  struct stat found{};
  return fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode);
}

Result<passwd> find_user(const std::string& name) {
  errno = 0;
  if (const auto* found = getpwnam(name.c_str())) return *found;
  return fail(ErrorKind::config, "user \"" + name + "\" of security.run_as is unknown" + (errno ? ": " + reason() : "") +
              ": create it (adduser --system " + name + ") or name another");
}

Result<gid_t> find_group(const std::string& name) {
  if (const auto* found = getgrnam(name.c_str())) return found->gr_gid;
  return fail(ErrorKind::config, "group \"" + name + "\" of security.run_as is unknown: create it or name another");
}

}  // namespace

Result<PidFile> PidFile::create(std::string path) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) return tl::unexpected(pid_file_failed(path));
    auto lock = whole_file(F_WRLCK);
    if (fcntl(descriptor, F_SETLK, &lock) < 0) {
      auto error = pid_file_held(descriptor, path);
      ::close(descriptor);
      return tl::unexpected(std::move(error));
    }
    if (!is_still_the_file(descriptor, path)) {
      ::close(descriptor);
      continue;
    }
    PidFile file(path, descriptor);
    const auto text = std::to_string(getpid()) + "\n";
    if (ftruncate(descriptor, 0) < 0 || ::write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      return tl::unexpected(pid_file_failed(path));
    return file;
  }
}

PidFile::PidFile(PidFile&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

void PidFile::let_go() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

PidFile::~PidFile() {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());   // before the lock goes, so that nobody locks a file that we then remove
  ::close(descriptor_);
}

Result<std::variant<Background, ParentDone>> go_to_background() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail(ErrorKind::internal, "can't go to the background: pipe: " + reason() + ": run without --daemon");
  const pid_t child = fork();
  if (child < 0) return fail(ErrorKind::unavailable, "can't go to the background: fork: " + reason() + ": run without --daemon");
  if (child > 0) {
    ::close(ends[1]);
    return wait_for_child(child, ends[0]);
  }
  ::close(ends[0]);
  setsid();
  return Background(ends[1]);
}

Background::Background(Background&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
Background::~Background() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Background::ready() {
  if (descriptor_ < 0) return;
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (standard != STDERR_FILENO || !is_regular_file(standard)) dup2(nothing, standard);
  ::close(nothing);
  [[maybe_unused]] const auto written = ::write(descriptor_, "r", 1);   // a parent that was killed needs no answer
  ::close(std::exchange(descriptor_, -1));
}

Result<> run_as(const std::string& user_and_group) {
  if (user_and_group.empty()) return {};
  const auto colon = user_and_group.find(':');
  const auto user = find_user(user_and_group.substr(0, colon));
  if (!user) return tl::unexpected(user.error());
  const auto group = colon == std::string::npos ? Result<gid_t>(user->pw_gid) : find_group(user_and_group.substr(colon + 1));
  if (!group) return tl::unexpected(group.error());
  if (geteuid() == user->pw_uid && getegid() == *group) return {};
  if (initgroups(user->pw_name, *group) < 0 || setgid(*group) < 0 || setuid(user->pw_uid) < 0)
    return fail(ErrorKind::unavailable, "can't become user " + user_and_group + ": " + reason() +
                ": start as root, or remove security.run_as");
  if (user->pw_uid != 0 && setuid(0) == 0)
    return fail(ErrorKind::internal, "can't become user " + user_and_group + ": root could be had back: remove security.run_as");
  return {};
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace nlb::daemon
