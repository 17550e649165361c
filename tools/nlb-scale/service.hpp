// The verbs over gRPC: ScaleService on a Unix socket. Each call is carried to the loop and waits for its answer; what belongs to the
// controller is touched there only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libnlb/daemon/loop.hpp"
#include "tools/nlb-scale/controller.hpp"

namespace nlb::tool {

class ScaleServer {
 public:
  // Binds `address` ("unix:/path" or host:port); makes the socket's folder (0750). unavailable: it can't be bound.
  static Result<std::unique_ptr<ScaleServer>> start(const std::string& address, bool insecure, daemon::ControlLoop& loop, std::function<Controller*()> controller);
  ~ScaleServer();              // ends streams and waiting calls

 private:
  struct Impl;
  explicit ScaleServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::tool
