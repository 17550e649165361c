// Replicas as processes of this machine: each in its own session and process group, with a port that was free, its output in a log of its
// own. A process that ends unasked is started again, later after every further crash. Processes outlive this object and nlb-scale: their
// pids and start times are in a state file, and who comes next adopts them; a pid that was reused is left alone.
// Not kept: a process that leaves its session (a daemon that forks twice) escapes. The design follows s6-supervise and runit.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

struct ProcessOptions {
  std::string service, version;
  std::vector<std::string> command;                    // {port} {service} {version} {index} {instance} are replaced
  std::map<std::string, std::string> environment;      // NLB_PORT NLB_SERVICE NLB_VERSION NLB_INDEX NLB_INSTANCE are added
  std::string state_folder, log_folder;
  bool ready_by_port = false;                          // ready when the port accepts; else when mark_ready() says so
  std::uint64_t log_bytes_max = 10u << 20;             // per file; FILE and FILE.1
  Duration stop_grace = std::chrono::seconds(10);      // from TERM to KILL when set() takes one away
  Duration restart_first = std::chrono::seconds(1), restart_most = std::chrono::seconds(60);
  Duration calm = std::chrono::seconds(10);            // who ran so long has its crashes forgiven
  std::uint64_t seed = 1;                              // of the back-off's jitter
};

// One supervisor thread, asleep until a process ends or a timer is due. Errors: unavailable: another nlb-scale supervises this state
// folder, or it can't be written; bad_input: a damaged state file.
class ProcessDriver : public Driver {
 public:
  static Result<std::unique_ptr<ProcessDriver>> start(ProcessOptions options);
  ~ProcessDriver() override;   // leaves the processes running; set(0) first when they shall end
  std::string_view kind() const override { return "process"; }
  Result<Observation> observe(MonoTime deadline) override;
  Result<> set(std::uint32_t count, const std::string& token, MonoTime deadline) override;
  Result<> remove(const std::string& instance, Duration grace, MonoTime deadline) override;
  void mark_ready(const std::string& instance) override;

 private:
  struct Impl;
  explicit ProcessDriver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::orchestrator
