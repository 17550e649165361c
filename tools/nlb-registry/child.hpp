// The command that `nlb-registry register` keeps registered: one child process, which ends with its parent.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"

namespace nlb::registrar {

class Child {
 public:
  // Starts it with the signal mask `signals`, and returns when it runs. When the parent dies, it gets TERM. unavailable: it can't be run,
  // and has_ended() with a shell's exit code, 127 for one that isn't there and 126 for any other reason; or there was no process for it.
  Result<> start(const std::vector<std::string>& command, const sigset_t& signals);
  bool runs() const { return process_ > 0; }
  pid_t process() const { return process_; }               // 0: none runs
  int exit_code() const;                                   // 128 + N when signal N ended it, as in a shell; 0 when it hasn't ended
  bool has_ended() const { return status_.has_value(); }
  bool reap();                                             // after CHLD: true when it has just ended
  void signal(int number) const;
  void kill_now();                                         // KILL, and waits for its end

 private:
  pid_t process_ = 0;
  std::optional<int> status_;
};

}  // namespace nlb::registrar
