#include "libnlb/orchestrator/driver.hpp"

#include <algorithm>

namespace nlb::orchestrator {

std::string_view to_string(InstanceState state) {
  switch (state) {
    case InstanceState::starting: return "starting";
    case InstanceState::ready: return "ready";
    case InstanceState::stopping: return "stopping";
    case InstanceState::failed: return "failed";
  }
  return "failed";
}

std::uint32_t Observation::live() const {
  return static_cast<std::uint32_t>(std::count_if(instances.begin(), instances.end(), [](const Instance& one) {
    return one.state == InstanceState::starting || one.state == InstanceState::ready;
  }));
}

std::vector<std::string> who_goes(const std::vector<Instance>& instances, std::uint32_t surplus) {
  const auto rank = [](const Instance& one) {
    return one.state == InstanceState::failed ? 0 : one.state == InstanceState::starting ? 1 : 2;
  };
  std::vector<const Instance*> order;
  for (const auto& one : instances)
    if (one.state != InstanceState::stopping) order.push_back(&one);
  std::stable_sort(order.begin(), order.end(), [&](const Instance* a, const Instance* b) {
    return rank(*a) != rank(*b) ? rank(*a) < rank(*b) : a->age < b->age;
  });
  order.resize(std::min<std::size_t>(order.size(), surplus));
  std::vector<std::string> ids;
  for (const auto* one : order) ids.push_back(one->id);
  return ids;
}

}  // namespace nlb::orchestrator
