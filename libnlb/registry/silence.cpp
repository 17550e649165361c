#include "libnlb/registry/silence.hpp"

namespace nlb::registry {
namespace {

bool may_be_on_its_way(const Silent& silent, MonoTime hearing_since, MonoTime now) {
  return silent.unheard && !silent.leaving && now - hearing_since < back_off_max && silent.module.check.kind != CheckKind::none &&
         silent.health.checked == Health::healthy && silent.health.bad_in_row == 0;
}

}  // namespace

SilenceVerdict judge(const Silent& silent, const Census& census, MonoTime hearing_since, MonoTime now) {
  if (may_be_on_its_way(silent, hearing_since, now)) return {!silent.suspect_since, {}};
  const auto& service = silent.module.service;
  if (silent.leaving || census.of_service(service) < mass_least) return {false, "lease ended"};
  const bool first = !silent.suspect_since || *silent.suspect_since < hearing_since;      // or again: before a sleep doesn't count
  if (silent.module.state.health == Health::unhealthy) return {first, "lease ended and checks fail"};
  if (first || (census.is_mass_silence(service) && now - *silent.suspect_since < suspect_max)) return {first, {}};
  return {false, "lease ended"};
}

}  // namespace nlb::registry
