// The processes under one parent: started, restarted, told, and ended; and their listening sockets, which go from the children of one
// parent to those of the next (takeover.hpp). Between parent and child runs the same conversation as between an old process and a new
// one: the parent offers, the child takes, and later the other way round. Belongs to the parent's control thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/daemon/channel.hpp"
#include "libnlb/daemon/skeleton.hpp"
#include "tools/nlb-forward/processes.hpp"
#include "tools/nlb-forward/takeover.hpp"

namespace nlb::forward {

class Supervisor {
 public:
  Supervisor(const Supervised& wanted, daemon::Daemon& daemon, std::string runtime);
  ~Supervisor() { end_now(); }

  // Starts all and returns when they are ready. Errors: what kept one from its start; its own message has gone to the log.
  Result<> start_all(const config::Config& config);
  // The same on a predecessor's sockets, in two steps: prepare() until every child waits for the old process to let go, take_over() from
  // then on until all accept; become_ready() once the old process drains.
  Result<> prepare(const config::Config& config, std::vector<relay::ListeningSockets> inherited);
  Result<std::vector<std::string>> take_over();   // the addresses that they took
  Result<> become_ready();

  void watch(bool restart);             // reaps, and restarts if it may; while draining the daemon ends with the last child
  void signal_all(int signal);
  void drain();
  void end_now();
  std::vector<std::string> ask_all(const char* page) const;

  // The old process's side.
  Result<std::vector<daemon::handover::Socket>> collect_offers();
  void release();
  void reclaim();
  void hand_over(const daemon::handover::Taken& taken, pid_t heir);
  std::uint64_t sessions();             // open ones, as the children last said while draining

 private:
  struct Child {
    std::size_t index = 0;
    pid_t pid = -1;
    Endpoint admin;
    int ready = -1;                     // read end, until it has said so
    std::optional<daemon::Channel> channel;
    std::uint64_t sessions = 0;
    MonoTime started{}, start_again{};
    Duration delay{};
  };
  Result<> keep_unix_listeners(const config::Config& config, std::vector<relay::ListeningSockets>& inherited);
  std::vector<daemon::handover::Socket> kept_duplicates() const;
  Result<> start(Child& child, std::vector<daemon::handover::Socket> sockets, bool alone);
  Result<> await_ready(Child& child);
  Error ended_early(Child& child);
  std::vector<std::string> arguments(const Child& child, int ready_fd, int channel) const;

  const Supervised& wanted_;
  daemon::Daemon& daemon_;
  std::string runtime_;
  std::vector<Child> children_;
  std::vector<relay::ListeningSockets> kept_;   // unix sockets: one for all children, also for one that is started again
  bool draining_ = false;
};

}  // namespace nlb::forward
