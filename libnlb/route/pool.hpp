// The routable modules of one version of a service, in tiers, and the pickers that choose among them.
//
// A tier is a flat array of candidates. Up to scan_max of them, least_conn and latency look at all (from a random
// start, ties broken evenly); beyond, they draw sample_size by weight and take the best, which comes close to
// looking at all and doesn't herd (Mitzenmacher's power of two choices). Every picker is a preference: when the
// module it prefers is full, ejected, tripped or was tried already, it draws again a few times, and then all of the
// tier are looked at, so a free module is found whenever there is one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::route {

inline constexpr std::size_t scan_max = 8;
inline constexpr std::size_t sample_size = 4;
inline constexpr std::size_t schedule_max = 4096;      // turns of weighted round robin before it repeats
inline constexpr std::uint32_t redraws_max = 4;
inline constexpr double slow_start_floor = 0.1;        // of the weight, so that a new module gets something to warm up with
inline constexpr Duration failure_memory = 10s;        // how long a failed connect makes a module look busier

struct Candidate {
  ModuleState* state = nullptr;
  std::uint32_t weight = 1;
  bool ramped = false;                                 // slow start may apply
  std::int64_t since = 0;
};

// Weighted drawing in constant time: Walker's alias method, as Vose builds it.
class AliasTable {
 public:
  explicit AliasTable(std::span<const Candidate> candidates);
  std::size_t draw(std::uint64_t random) const {
    const auto n = cells_.size();
    const auto i = static_cast<std::size_t>(((random >> 32) * n) >> 32);
    return uniform_ || static_cast<std::uint32_t>(random) < cells_[i].keep ? i : cells_[i].other;
  }

 private:
  struct Alias {
    std::uint32_t keep = 0xffffffff, other = 0;
  };
  std::vector<Alias> cells_;
  bool uniform_ = true;
};

struct Tier {
  std::vector<Candidate> candidates;
  AliasTable alias{{}};
  std::vector<std::uint16_t> schedule;                 // round_robin
  std::vector<std::uint16_t> maglev;                   // hash
  bool backup = false;
};

struct Pool {
  std::string version;                                 // empty: all versions
  std::vector<Tier> tiers;
  std::size_t modules = 0;                             // routable
};

// What all picks of one service have in common, and one pick's question.
struct PickContext {
  const ServiceOptions& options;
  ServiceState& state;
  const PickQuestion& question;
  bool ignore_ejections = false;
};

struct TierResult {
  Slot slot;
  bool any_usable = false;                             // some candidate was usable, but full
};

void prepare(Tier& tier, Picker picker);               // alias, schedule and Maglev tables of its candidates
TierResult pick_in_tier(const Tier& tier, const PickContext& context);

}  // namespace nlb::route
