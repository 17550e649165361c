// Starts a command in its own session, in two steps: the child is made and waits; only when its pid is written down somewhere is it
// released to exec. A supervisor that dies between the two leaves nothing behind: the child reads end-of-file and exits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libnlb/orchestrator/proc.hpp"

namespace nlb::orchestrator {

struct Command {
  std::vector<std::string> argv;                     // argv[0] is looked up in PATH
  std::map<std::string, std::string> environment;    // added to ours; ours lacks what belongs to us alone (NOTIFY_SOCKET, ...)
  int in = -1, out = -1, err = -1;                   // -1: /dev/null; every other descriptor is closed in the child
};

class Held {   // a child that waits; killed when it isn't released
 public:
  static Result<Held> start(const Command& command);   // unavailable: no such program, no process to be had
  Held(Held&&) noexcept = default;
  Held& operator=(Held&&) = delete;
  ~Held();
  pid_t pid() const { return pid_; }
  Result<Descriptor> release();   // its pidfd; unavailable: it couldn't be executed, and is gone again

 private:
  Held() = default;
  pid_t pid_ = 0;
  Descriptor process_, go_, verdict_;
};

// Forgets a child of ours that ended. The exit in words ("exit code 1", "signal 9 (Killed)"); empty: not our child.
// `group` first: every process of its group is killed while the number is still taken by the zombie.
std::string reap(const Descriptor& process, pid_t group);

// {name} in each text is replaced by its value; unknown names stay.
std::vector<std::string> replaced(std::vector<std::string> texts, const std::map<std::string, std::string>& values);

}  // namespace nlb::orchestrator
