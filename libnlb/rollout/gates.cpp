#include "libnlb/rollout/gates.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::rollout {
namespace {

std::optional<std::string> wait_for(const ForwarderNews& forwarder, const Split& split, bool share_too) {
  if (forwarder.applied_epoch != split.epoch || forwarder.applied_version != split.version) return "forwarder " + forwarder.name + " to apply the weights";
  if (!share_too || forwarder.sessions == 0) return std::nullopt;
  const double wanted = static_cast<double>(split.candidate_weight) / weight_max;
  const auto clients = static_cast<double>(forwarder.clients > 0 ? forwarder.clients : forwarder.sessions);
  const double measured = static_cast<double>(forwarder.candidate_sessions) / static_cast<double>(forwarder.sessions);
  if (std::abs(measured - wanted) <= 3 * std::sqrt(wanted * (1 - wanted) / clients) + 1 / clients) return std::nullopt;
  return "forwarder " + forwarder.name + " to measure a share near " + format_percent(split.candidate_weight) + " %";
}

}  // namespace

std::optional<std::string> wait_for_forwarders(std::span<const SiteNews> sites, std::span<const Split> splits, bool share_too) {
  for (std::size_t i = 0; i < splits.size(); ++i) {
    std::size_t live = 0;
    for (const auto& forwarder : i < sites.size() ? std::span(sites[i].forwarders) : std::span<const ForwarderNews>()) {
      if (!forwarder.live) continue;
      ++live;
      if (auto wait = wait_for(forwarder, splits[i], share_too)) return wait;
    }
    if (live == 0) return "a live forwarder";
  }
  return std::nullopt;
}

std::optional<std::string> wait_for_capacity(std::span<const SiteNews> sites, std::uint32_t weight) {
  if (std::all_of(sites.begin(), sites.end(), [&](const SiteNews& site) { return site.capacity_weight >= weight; })) return std::nullopt;
  return "capacity for the next step";
}

std::optional<std::string> wait_for_room(std::span<const SiteNews> sites, const std::string& candidate) {
  for (const auto& site : sites)
    if (site.room.taken >= full_at || site.room.queued > 0)
      return "capacity: at forwarder " + site.room.forwarder + " " + std::to_string(std::lround(100 * site.room.taken)) + " % of the places of " +
             candidate + " are taken and " + std::to_string(site.room.queued) + " sessions wait: more replicas, or a greater max_connections";
  return std::nullopt;
}

}  // namespace nlb::rollout
