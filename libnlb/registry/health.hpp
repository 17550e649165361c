// Health from two opinions: the active check's (rise and fall, as HAProxy's `rise` and `fall`) and the module's own. The worse counts.
// It decides nothing about when to ask; time isn't needed here.
#pragma once

#include <cstdint>
#include <string>

#include "libnlb/registry/module.hpp"

namespace nlb::registry {

struct CheckAnswer {
  bool good = false;
  std::string error;     // of a bad answer; for people
  Duration took{};
};

struct HealthFacts {
  Health checked = Health::unknown;
  Health reported = Health::unknown;
  std::string reported_reason;
  std::string last_error;
  std::uint32_t good_in_row = 0;
  std::uint32_t bad_in_row = 0;
  Duration last_took{};
  std::uint64_t checks = 0;
  std::uint64_t failures = 0;

  // unknown -> healthy at the first good answer; unknown or healthy -> unhealthy after `fall` bad ones in a row; back after `rise` good ones.
  void answer(const HealthSpec& spec, const CheckAnswer& answer);

  // Somebody else at another address: what was known of the old one doesn't count.
  void forget_checks();

  // Whoever takes a name over is listening already, or would not register: it counts as good as the one before until its first check, which
  // decides alone. Else a service whose only module is replaced would have nobody until then.
  void hand_over(const HealthSpec& spec);
};

Health effective(const HealthFacts& facts, CheckKind kind);
std::string reason(const HealthFacts& facts, CheckKind kind);   // empty when healthy

}  // namespace nlb::registry
