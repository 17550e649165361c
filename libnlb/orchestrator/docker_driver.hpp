// Replicas as containers of a Docker engine (Docker Engine API v1.41, the part that Podman's service speaks as well), over its Unix socket.
// Ours are those with the labels nlb.service and nlb.version; the image is resolved to its id at the first start, so that all replicas run
// the same until nlb-scale restarts. A container that ended stays as `failed` until set() replaces it, ever later after crashes.
// Not done: pulling images; an image that is absent is an error that says so.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

struct DockerOptions {
  std::string service, version;
  std::string image, network;                       // network: empty is the engine's default
  std::vector<std::string> command;                 // instead of the image's; {service} {version} {index} {instance} {port} are replaced
  std::map<std::string, std::string> environment;   // as process_driver.hpp; NLB_PORT only with network host
  std::string socket;                               // a path
  Duration stop_grace = std::chrono::seconds(10);
  Duration restart_first = std::chrono::seconds(1), restart_most = std::chrono::minutes(1);
  std::uint64_t seed = 1;
};

class DockerDriver : public Driver {   // each request is a connection of its own; nothing runs between calls
 public:
  explicit DockerDriver(DockerOptions options);
  ~DockerDriver() override;
  std::string_view kind() const override { return "docker"; }
  Result<Observation> observe(MonoTime deadline) override;
  Result<> set(std::uint32_t count, const std::string& token, MonoTime deadline) override;
  Result<> remove(const std::string& instance, Duration grace, MonoTime deadline) override;
  void mark_ready(const std::string& instance) override;
  Duration retry_after() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::orchestrator
