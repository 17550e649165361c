#include "tools/nlb-registry/child.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nlb::registrar {

Result<> Child::start(const std::vector<std::string>& command, const sigset_t& signals) {
  const auto parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail(ErrorKind::unavailable, "start " + command.front() + ": " + std::strerror(errno));
  if (child == 0) {
    pthread_sigmask(SIG_SETMASK, &signals, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(70);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments.front(), arguments.data());
    _exit(127);
  }
  process_ = child;
  return {};
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
