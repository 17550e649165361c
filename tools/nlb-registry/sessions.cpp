#include "tools/nlb-registry/sessions.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::registrar {

void Sessions::report(const std::string& topic, std::string_view payload, MonoTime now) {
  v1::Traffic traffic;
  if (!traffic.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
  Report report{now, {}};
  for (const auto& module : traffic.modules()) report.active[module.module()] = module.counters().sessions_active();
  const std::string service(bus::topic_part(topic, 2));
  reports_[topic] = service;
  by_service_[service][topic] = std::move(report);
}

void Sessions::forget(const std::string& topic) {
  const auto found = reports_.find(topic);
  if (found == reports_.end()) return;
  by_service_[found->second].erase(topic);
  reports_.erase(found);
}

std::uint64_t Sessions::of(const std::string& module) const {
  const auto slash = module.find('/');
  const auto service = by_service_.find(module.substr(0, slash));
  if (slash == module.npos || service == by_service_.end()) return 0;
  std::uint64_t sum = 0;
  for (const auto& [topic, report] : service->second)
    if (const auto found = report.active.find(std::string_view(module).substr(slash + 1)); found != report.active.end()) sum += found->second;
  return sum;
}

bool Sessions::ended(const std::string& module, MonoTime since) const {
  const auto slash = module.find('/');
  const auto service = by_service_.find(module.substr(0, slash));
  if (slash == module.npos || service == by_service_.end()) return true;
  return std::none_of(service->second.begin(), service->second.end(), [&](const auto& one) {
    const auto& report = one.second;
    const auto found = report.active.find(std::string_view(module).substr(slash + 1));
    return found != report.active.end() && (found->second > 0 || report.at < since);
  });
}

}  // namespace nlb::registrar
