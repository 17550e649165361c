#include "libnlb/bus/report.hpp"

#include <nlohmann/json.hpp>

namespace nlb::bus {

namespace {

using Json = nlohmann::ordered_json;
namespace m = metrics;

constexpr std::size_t conflicts_shown_max = 20;

Json json_of(const PeerStatus& peer) {
  const auto& c = peer.counters;
  return {{"peer", peer.peer},
          {"owner", peer.owner_name},
          {"found_in_directory", peer.dynamic},
          {"live", peer.phase == SubscriberState::Phase::live},
          {"phase", to_string(peer.phase)},
          {"epoch", peer.epoch},
          {"age_seconds", to_seconds(peer.age)},
          {"facts", peer.facts},
          {"quarantined", peer.quarantined},
          {"refused_classes", peer.refused_classes},
          {"applied", c.applied},
          {"gaps", c.gaps},
          {"syncs", c.syncs},
          {"snapshots", c.snapshots},
          {"deltas", c.deltas},
          {"reconnects", c.reconnects},
          {"refused_epoch", c.refused_epoch},
          {"refused_owner", c.refused_owner},
          {"stale_snapshots", c.stale_snapshots}};
}

}  // namespace

std::string status_json(const Status& status) {
  Json peers = Json::array(), directory = Json::array(), conflicts = Json::array();
  for (const auto& peer : status.peers) peers.push_back(json_of(peer));
  for (const auto& owner : status.directory) directory.push_back({{"owner", owner.name}, {"publish", owner.publish}, {"sync", owner.sync}});
  for (const auto& topic : status.conflicts)
    if (conflicts.size() < conflicts_shown_max) conflicts.push_back(topic);
  Json all = {{"publish", status.publish},
              {"sync", status.sync},
              {"epoch", status.epoch},
              {"seq", status.head_seq},
              {"published", status.published},
              {"slow_subscriber_drops", status.slow_subscriber_drops},
              {"sync_requests", status.sync_requests},
              {"readers_accepted", status.curve_accepted},
              {"readers_refused", status.curve_refused},
              {"followers", status.followers},
              {"facts", status.facts},
              {"kept_of_predecessors", status.kept},
              {"conflicts", status.conflicts.size()},
              {"conflicting", std::move(conflicts)}};
  if (!directory.empty()) all["directory"] = std::move(directory);
  all["peers"] = std::move(peers);
  return all.dump();
}

std::string with_bus(std::string_view status, const Bus* bus) {
  auto all = Json::parse(status);
  all["bus"] = bus ? Json::parse(status_json(bus->status())) : Json(nullptr);
  return all.dump();
}

void add_metrics(metrics::Snapshot& out, const Status& status) {
  std::uint64_t undecodable = 0, epochs = 0, owners = 0;
  for (const auto& peer : status.peers) {
    const auto owner = peer.owner_name.empty() ? std::string("unknown") : peer.owner_name;
    out.add(m::bus_age, {peer.peer, owner}, to_seconds(peer.age));
    out.add(m::bus_gaps, {peer.peer, owner}, peer.counters.gaps);
    out.add(m::bus_resyncs, {peer.peer, owner}, peer.counters.syncs);
    out.add(m::bus_facts, {peer.peer, owner, "known"}, static_cast<std::uint64_t>(peer.facts - peer.quarantined));
    out.add(m::bus_facts, {peer.peer, owner, "quarantined"}, static_cast<std::uint64_t>(peer.quarantined));
    undecodable += peer.undecodable;
    epochs += peer.counters.refused_epoch;
    owners += peer.counters.refused_owner;
  }
  out.add(m::bus_conflicts, {}, static_cast<std::uint64_t>(status.conflicts.size()));
  out.add(m::bus_insecure, {}, static_cast<std::uint64_t>(status.open_to_strangers));
  out.add(m::bus_dropped, {"all"}, status.slow_subscriber_drops);
  out.add(m::bus_rejected, {"fence"}, status.fence_refused);
  out.add(m::bus_rejected, {"epoch"}, epochs);
  out.add(m::bus_rejected, {"owner"}, owners);
  out.add(m::bus_rejected, {"undecodable"}, undecodable);
  out.add(m::bus_readers_refused, {"key"}, status.curve_refused);
  out.add(m::bus_readers_refused, {"class"}, status.classes_refused);
  out.add(m::bus_readers_refused, {"hello"}, status.hellos_refused);
}

}  // namespace nlb::bus
