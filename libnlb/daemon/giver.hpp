// The running process's side of a takeover (handover.hpp), and the old generations that still drain: their conversations are kept, and
// handed on with the sockets, so that the newest process knows how many there are. Belongs to the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/daemon/handover.hpp"
#include "libnlb/daemon/loop.hpp"

namespace nlb::daemon {

struct OldGeneration { pid_t pid = 0; std::uint64_t sessions = 0; };

struct GiverHooks {   // all on the loop's thread
  std::function<Result<std::vector<handover::Socket>>()> offer;   // duplicates of what listens; an error refuses the takeover
  std::function<void()> release;                                  // let go what only one process may hold
  std::function<void()> reclaim;                                  // the heir has failed: take it back. Also when only the offer was made
  std::function<void(const handover::Taken& taken, pid_t heir)> hand_over;   // the heir accepts: accept no more, and drain
  std::function<std::vector<handover::Socket>()> notes{};         // after hand_over: what the heir should know of the sessions that stay
  std::function<void()> elders_ended{};                           // no old generation is left
  std::function<std::uint64_t()> sessions{};                      // open ones, asked once a second while draining
  std::function<void()> reopen_logs{};
};

class Giver {
 public:
  struct Counters { std::uint64_t refused = 0, failed = 0; };     // refused: not begun; failed: the heir ended or hung

  Giver(ControlLoop& loop, std::size_t old_generations_max, GiverHooks hooks);
  ~Giver();

  Result<> listen(const std::string& path);        // a new endpoint; conflict: another process has it
  void adopt(Descriptor listener, std::string path);   // the predecessor's endpoint
  void serve(Channel channel, bool stays);         // an heir without an endpoint: a successor; or our parent, which stays
  void add_elder(pid_t pid, Channel channel);      // a process that drains

  void close();                                    // no takeover from now on: one that is under way fails

  std::vector<OldGeneration> old_generations() const;
  void tell_elders_to_reopen_logs();
  bool handing_over() const;                       // a takeover is under way
  Counters counters() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::daemon
