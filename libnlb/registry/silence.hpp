// What it means that a module's lease is over: that it is gone, or that something is between us.
//
// Mass expiry. A module whose lease ended becomes `suspect` and is judged one beat interval (a third of its lease) later: by then
// whatever silenced it has silenced its neighbours too. If at least two and more than 15 % of the service fell silent, the network is
// the likelier culprit (Eureka's self-preservation keeps everybody below 85 % of renewals): they stay suspect, and whoever routes to
// them goes by its own checks; a suspect that the active check calls unhealthy goes, because two witnesses agree. Otherwise it is
// removed. A service's only module has no neighbours to ask, so it goes at once.
//
// Who hasn't been heard at all since this registry can hear may be waiting for its next attempt: gRPC's clients back off for up to two
// minutes, far longer than a lease. For so long, the active check's word that it serves is worth more than its silence.
#pragma once

#include <optional>
#include <string_view>

#include "libnlb/core/time.hpp"
#include "libnlb/registry/census.hpp"
#include "libnlb/registry/health.hpp"

namespace nlb::registry {

inline constexpr Duration back_off_max = std::chrono::seconds(150);  // of clients that found no registry; gRPC's is 120 s and a fifth
inline constexpr Duration suspect_max = std::chrono::hours(1);      // after that a suspect goes, whatever its neighbours do

struct Silent {                      // a module whose lease is over; refers, doesn't own
  const Module& module;
  const HealthFacts& health;
  bool leaving = false;              // it is on its way out already
  bool unheard = false;              // never heard since this registry can hear
  std::optional<MonoTime> suspect_since;
};

struct SilenceVerdict {
  bool suspect_now = false;          // its silence counts from now on
  std::string_view removed_for;      // why it goes; empty: it stays, suspect, to be judged again a third of its lease later
};

// `hearing_since`: since when this registry has been able to hear at all. Pure, O(1).
SilenceVerdict judge(const Silent& silent, const Census& census, MonoTime hearing_since, MonoTime now);

}  // namespace nlb::registry
