// --route: where a configuration would have sent a captured flow, decided by nlb-forward's own routing table and its rules on silent
// clients and fixed listeners. Limits, health and the sessions that were open at the time are not modelled: every flow finds the modules
// of the file idle. Choices by chance come from one seed, so that a capture has one answer.
#pragma once

#include <memory>
#include <string>

#include "libnlb/capture/flow.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::inspect_tool {

struct Routed {
  std::string service, module;   // empty: the flow would have gone nowhere
  std::string why;
};

class FlowRouter {
 public:
  // Reads and judges the file. Errors: config ("file:line:col: problem" a line), unavailable.
  static Result<std::unique_ptr<FlowRouter>> load(const std::string& path);
  Routed route(const capture::Flow& flow);

 private:
  explicit FlowRouter(config::Config config) : config_(std::move(config)), roster_(1) {}
  const config::Listener& listener_of(const capture::Flow& flow) const;
  Routed pick(const route::RouteQuestion& question, const capture::Flow& flow, std::string why);

  config::Config config_;
  config::Listener nameless_;    // of a file without listeners
  route::Roster roster_;
  std::shared_ptr<const route::Table> table_;
  Rng rng_{1};
};

}  // namespace nlb::inspect_tool
