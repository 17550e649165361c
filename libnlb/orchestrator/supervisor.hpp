// The roster of one process target and what happens to its members: start, crash, restart, stop, kill. Not thread safe: process_driver.cpp
// holds the lock. Time is a parameter; signals, /proc and files are real.
#pragma once

#include <list>
#include <optional>

#include "libnlb/orchestrator/backoff.hpp"
#include "libnlb/orchestrator/process_driver.hpp"
#include "libnlb/orchestrator/process_state.hpp"
#include "libnlb/orchestrator/spawn.hpp"

namespace nlb::orchestrator {

struct Member {
  ProcessRecord record;
  Descriptor process;                     // empty: not running
  Backoff backoff;
  MonoTime since;                         // of the present state
  std::optional<MonoTime> restart_at, kill_at;
  std::string reason;
};

class Supervisor {
 public:
  Supervisor(ProcessOptions options, std::string state_path);
  Result<> adopt(MonoTime now);           // reads the state file and takes over who still lives

  Observation observe(MonoTime now) const;
  Result<> set(std::uint32_t count, MonoTime now);
  void stop(Member& member, Duration grace, MonoTime now);
  void withdraw(Member& member);          // it will not be replaced
  Member* find(const std::string& id);
  void mark_ready(const std::string& id, MonoTime now);
  std::string token() const { return std::to_string(state_.generation); }

  void look(MonoTime now);                // who ended, whose time has come; forgets who is gone
  std::optional<MonoTime> next_look(MonoTime now) const;
  const std::list<Member>& members() const { return members_; }
  Result<> save();

 private:
  Result<> add(MonoTime now);
  Result<> start(Member& member, MonoTime now);
  Result<std::uint16_t> port_for(const Member& member) const;
  Command command_of(Member& member) const;
  void ended(Member& member, MonoTime now);
  void crashed(Member& member, const std::string& how, MonoTime now);
  void due(Member& member, MonoTime now);
  void signal(const Member& member, int number) const;
  std::string log_path(const Member& member) const { return options_.log_folder + "/" + member.record.id + ".log"; }
  std::uint32_t free_index() const;
  Member fresh(ProcessRecord record, MonoTime now);

  ProcessOptions options_;
  std::string state_path_;
  ProcessState state_;                    // all but `processes`, which save() takes from members_
  std::list<Member> members_;
  MonoTime logs_bounded_{};
};

}  // namespace nlb::orchestrator
