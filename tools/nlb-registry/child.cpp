#include "tools/nlb-registry/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "libnlb/core/excerpt.hpp"

namespace nlb::registrar {

namespace {

tl::unexpected<Error> cant_start(const std::string& command, int error) {
  return fail(ErrorKind::unavailable, "start " + excerpt(command) + ": " + std::strerror(error) + ": name a program that can be run, with its path or in $PATH");
}

// In the child, between fork and exec: other threads' locks may be held, so nothing here allocates. What exec answers goes to `tell`.
[[noreturn]] void become(char* const* arguments, const sigset_t& signals, pid_t parent, int tell) {
  pthread_sigmask(SIG_SETMASK, &signals, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(70);
  execvp(arguments[0], arguments);
  const int error = errno;
  (void)!write(tell, &error, sizeof error);
  _exit(error == ENOENT ? 127 : 126);      // as a shell, and env(1)
}

}  // namespace

// A pipe that exec closes: its end means that the command runs, a number that it doesn't (an old idea; Python's subprocess does so).
Result<> Child::start(const std::vector<std::string>& command, const sigset_t& signals) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return cant_start(command.front(), errno);
  const auto parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(arguments.data(), signals, parent, ends[1]);
  int error = child < 0 ? errno : 0;
  close(ends[1]);
  if (child > 0)
    while (read(ends[0], &error, sizeof error) < 0 && errno == EINTR) {}
  close(ends[0]);
  if (child > 0) process_ = child;
  if (error == 0) return {};
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child) status_ = status;
  process_ = 0;
  return cant_start(command.front(), error);
}

int Child::exit_code() const {
  const int status = status_.value_or(0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Child::reap() {
  int status = 0;
  if (!runs() || waitpid(process_, &status, WNOHANG) != process_) return false;
  process_ = 0;
  status_ = status;
  return true;
}

void Child::signal(int number) const {
  if (runs()) kill(process_, number);
}

void Child::kill_now() {
  int status = 0;
  if (!runs()) return;
  kill(process_, SIGKILL);
  waitpid(process_, &status, 0);
  process_ = 0;
  status_ = status;
}

}  // namespace nlb::registrar
