// A program that runs beside a test and ends with it.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace nlb::orchestrator::test {

class ChildProgram {
 public:
  explicit ChildProgram(std::vector<std::string> argv, const std::string& log = "/dev/null") : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (!freopen(log.c_str(), "a", stderr) || !freopen("/dev/null", "a", stdout)) _exit(126);
    std::vector<char*> pointers;
    for (auto& text : argv) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  ~ChildProgram() {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;
  bool running() const { return waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

}  // namespace nlb::orchestrator::test
