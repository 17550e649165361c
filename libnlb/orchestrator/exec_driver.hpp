// Replicas by the user's command. It is started once per question, gets it as JSON on stdin and in its environment, and answers with JSON on
// stdout; stderr is for people. At the deadline its whole process group is killed.
//   observe  in {"action":"observe","service":"web","version":"v1"}        out {"instances":[{"id":"a","state":"ready","address":"10.0.0.7:80"}],"desired":1,"token":"7"}
//   set      in {"action":"set","count":3,"token":"7", ...}                out {} or nothing
//   remove   in {"action":"remove","instance":"a","grace_seconds":30, ...} out {} or nothing
// Exit code 0: done. Others fail with the last line of stderr; {"error":"conflict"|"refused"|"unavailable","text":"..."} says more.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

struct ExecOptions {
  std::string service, version;
  std::vector<std::string> command;                  // {service} {version} {count} {instance} {action} are replaced
  std::map<std::string, std::string> environment;    // NLB_ACTION NLB_SERVICE NLB_VERSION NLB_COUNT NLB_INSTANCE NLB_GRACE_SECONDS are added
};

class ExecDriver : public Driver {   // keeps nothing: thread safe
 public:
  explicit ExecDriver(ExecOptions options) : options_(std::move(options)) {}
  std::string_view kind() const override { return "exec"; }
  Result<Observation> observe(MonoTime deadline) override;
  Result<> set(std::uint32_t count, const std::string& token, MonoTime deadline) override;
  Result<> remove(const std::string& instance, Duration grace, MonoTime deadline) override;

 private:
  const ExecOptions options_;
};

// Runs a command to its end: its stdout, or an error. Kills its group at the deadline. `input` and both outputs hold 1 MiB at most.
struct Finished { std::string out, err, how; };   // how: "exit code 0"
Result<Finished> run_to_end(std::vector<std::string> argv, std::map<std::string, std::string> environment, std::string_view input, MonoTime deadline);

}  // namespace nlb::orchestrator
