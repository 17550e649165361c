// The link to an outer manager (`manager:` in the configuration): registers this balancer, then reports its load and the version of its
// configuration. Each report is one POST of a JSON object, answered by any 2xx:
//
//   POST URL/register    {"balancer", "program", "version", "pid", "started_unix_seconds", "interval_seconds", "config_version", "addresses": [...], "admin"}
//   POST URL/heartbeat   {"balancer", "config_version", "uptime_seconds", "load": {...}}
//
// with "Authorization: Bearer KEY" where there is a key. A thread of its own does the waiting, so a manager that hangs, refuses or is
// away costs the rest of the process nothing; one report is on its way at a time, and what would have been sent meanwhile isn't.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/manager/link_state.hpp"

namespace nlb::manager {

inline constexpr Duration answer_timeout = std::chrono::seconds(5);

struct Identity {                    // told when it registers
  std::string balancer;              // the same over restarts
  std::string program;
  std::vector<std::string> addresses;
  std::string admin;
};

struct Status {
  std::string url;
  bool registered = false;
  std::string last_error;
  LinkState::Counters reports;
};

class Link {   // belongs to the loop's thread
 public:
  // `load` gives a JSON object, on the loop. Errors: config (a URL that can't be), unavailable (the key or ca_file can't be read).
  static Result<std::unique_ptr<Link>> start(const config::Manager& config, Identity identity, std::string config_version, daemon::ControlLoop& loop,
                                             std::function<std::string()> load);
  ~Link();                           // leaves at once, whatever is on its way
  void set_config_version(std::string version);      // told at once
  Status status() const;

 private:
  struct Impl;
  explicit Link(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::manager
