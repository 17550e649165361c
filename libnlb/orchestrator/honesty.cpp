#include "libnlb/orchestrator/honesty.hpp"

#include <algorithm>
#include <set>

namespace nlb::orchestrator {
namespace {

std::string twice(const Observation& seen) {
  std::set<std::string_view> ids;
  for (const auto& one : seen.instances)
    if (!ids.insert(one.id).second) return "lists instance '" + one.id + "' twice: its count can't be trusted";
  return {};
}

bool at_rest(const Observation& seen) {
  return std::all_of(seen.instances.begin(), seen.instances.end(), [](const Instance& one) { return one.state == InstanceState::ready; });
}

}  // namespace

std::string Honesty::other_desired(const Observation& seen) {
  strange_ = accepted_ && *accepted_ != seen.desired ? strange_ + 1 : 0;
  if (strange_ < 2) return {};
  return "accepted " + std::to_string(*accepted_) + " replicas and now says " + std::to_string(seen.desired) +
         " are wanted: does another autoscaler or a person change them?";
}

std::string Honesty::other_count(const Observation& seen, MonoTime now) {
  if (seen.live() == seen.desired || !at_rest(seen)) {
    uneven_since_.reset();
    return {};
  }
  if (!uneven_since_) uneven_since_ = now;
  if (now - *uneven_since_ < settle_) return {};
  return "says " + std::to_string(seen.desired) + " replicas are wanted but shows " + std::to_string(seen.live()) + " for " +
         format_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *uneven_since_)) + ": is it short of room or broken?";
}

std::string Honesty::judge(const Observation& seen, MonoTime now) {
  if (!seen.counted) return {};
  const auto double_entry = twice(seen), desired = other_desired(seen), count = other_count(seen, now);
  return !double_entry.empty() ? double_entry : !desired.empty() ? desired : count;
}

}  // namespace nlb::orchestrator
