// What keeps a rollout's step from going on: forwarders that don't follow yet, too little capacity, no room at the canary. Each gate
// answers with what it waits for, for people; nullopt: it is open. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libnlb/core/hash.hpp"
#include "libnlb/rollout/judge.hpp"
#include "libnlb/rollout/plan.hpp"

namespace nlb::rollout {

// The intent that forwarders carry out. Weights add up to 10,000.
struct Split {
  std::uint64_t epoch = 0, version = 0;
  std::string stable, candidate;          // candidate may be empty: all traffic is stable's
  std::uint32_t candidate_weight = 0;
  SipKey salt{};                          // new per rollout, constant within it
  Drain drain = Drain::stay;
  Duration drain_deadline{0};
  std::uint32_t stable_weight() const { return weight_max - candidate_weight; }
  friend bool operator==(const Split&, const Split&) = default;
};

struct ForwarderNews {
  std::string name;
  bool live = true;                       // its beat is fresh
  std::uint64_t applied_epoch = 0, applied_version = 0;
  std::uint64_t candidate_sessions = 0, sessions = 0;   // new ones since it applied that version
  std::uint64_t clients = 0;              // distinct ones among them; 0: not known, sessions are taken
};

struct Room {                             // of the candidate, at the forwarder where it is fullest
  double taken = 0;                       // share of its modules' places, 0 to 1
  std::uint32_t queued = 0;               // sessions that wait for a module
  std::string forwarder;
};

struct SiteNews {                         // what one site reported since the last step
  std::vector<Sample> samples;            // seconds on the rollout's clock (`Rollout::second`)
  Health health;
  std::vector<ForwarderNews> forwarders;
  std::uint32_t capacity_weight = weight_max;   // the largest weight of the candidate that there is capacity for
  Room room;
};

// Every live forwarder of every site has that site's split; with `share_too` it also measures the candidate's share within 3 sigma of its
// clients. A site without any live forwarder keeps it shut. `splits`: by site.
std::optional<std::string> wait_for_forwarders(std::span<const SiteNews> sites, std::span<const Split> splits, bool share_too);

// Every site has the capacity for this weight of the candidate.
std::optional<std::string> wait_for_capacity(std::span<const SiteNews> sites, std::uint32_t weight);

// The candidate has free places at every site, and no session waits for one. What is full can't take more, and is slow for a reason that
// a rollback doesn't mend.
std::optional<std::string> wait_for_room(std::span<const SiteNews> sites, const std::string& candidate);

inline constexpr double full_at = 0.9;   // of the places taken: no room for more weight

}  // namespace nlb::rollout
