// Replicas as pods of a Kubernetes deployment, through its scale subresource (autoscaling/v1 Scale; Kubernetes API reference, "Deployment").
// set() is a PUT with the resourceVersion that was seen, so that a lost race is a conflict. remove() marks the pod with the lowest
// controller.kubernetes.io/pod-deletion-cost (KEP-2255) and then takes one replica away; the grace is the pod's own. A deployment that a
// HorizontalPodAutoscaler owns is refused unless `take_over`.
#pragma once

#include <memory>
#include <string>

#include "libnlb/core/address.hpp"
#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

struct KubernetesOptions {
  Endpoint server;
  bool tls = true;                                  // false: http://, for kubectl proxy
  std::string name_space, deployment, version;
  std::string token_file, ca_file;                  // the token is read for every request: the kubelet replaces it
  bool take_over = false;
};

class KubernetesDriver : public Driver {
 public:
  static Result<std::unique_ptr<KubernetesDriver>> open(KubernetesOptions options);   // reads ca_file; asks nobody yet
  ~KubernetesDriver() override;
  std::string_view kind() const override { return "kubernetes"; }
  Result<Observation> observe(MonoTime deadline) override;
  Result<> set(std::uint32_t count, const std::string& token, MonoTime deadline) override;
  Result<> remove(const std::string& instance, Duration grace, MonoTime deadline) override;
  Duration retry_after() const override;

 private:
  struct Impl;
  explicit KubernetesDriver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::orchestrator
