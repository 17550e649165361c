// Passive ejection: what sessions experience decides whether a module gets new ones.
//
// A number of bad outcomes in a row ejects a module for period x n, n being its ejections since it last stayed well
// (Envoy's consecutive gateway failure detector). When the time is over it is tried again: a good outcome ends the
// series, a bad one ejects it at once and longer; every whole period that it stays in service forgives one ejection.
// At most percent_max of a service's modules, but always one, are ejected at a time. Connect and first-byte times
// feed the latency picker's peak EWMA.
#pragma once

#include <cstdint>
#include <string_view>

#include "libnlb/core/time.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::route {

enum class Outcome : std::uint8_t {
  connected,        // the module accepted: no failure, but no answer yet either
  ok,               // the module sent its first byte
  connect_failed,   // refused, unreachable or timed out
  early_reset,      // reset by the module before its first byte
  empty_answer,     // end of file from the module without a byte
};
constexpr bool is_bad(Outcome o) { return o >= Outcome::connect_failed; }

enum class Effect : std::uint8_t { nothing, ejected, recovered, spared };   // spared: would be ejected, but too many are already

inline constexpr std::uint32_t ejection_growth_max = 10;   // the back-off stops growing at period x 10
inline constexpr Duration latency_decay = 10s;             // time constant of the peak EWMA

// Any thread. `worker` is the caller's index: the outcome is counted in its cell.
Effect report(const Service& service, ModuleState& module, Outcome outcome, MonoTime now, std::size_t worker);

// A time from asking to answer: jumps up to a peak at once, comes down with latency_decay.
void observe_latency(ModuleState& module, Duration sample, MonoTime now);

}  // namespace nlb::route
