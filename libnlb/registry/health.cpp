#include "libnlb/registry/health.hpp"

#include <algorithm>
#include <limits>

namespace nlb::registry {

namespace {

std::uint32_t one_more(std::uint32_t n) { return n == std::numeric_limits<std::uint32_t>::max() ? n : n + 1; }

constexpr int badness(Health health) {
  switch (health) {
    case Health::healthy: return 0;
    case Health::degraded: return 1;
    case Health::unknown: return 2;
    case Health::unhealthy: return 3;
  }
  return 3;
}

}  // namespace

void HealthFacts::answer(const HealthSpec& spec, const CheckAnswer& answer) {
  ++checks;
  last_took = answer.took;
  if (answer.good) {
    bad_in_row = 0;
    good_in_row = one_more(good_in_row);
    if (checked == Health::unknown || good_in_row >= std::max(spec.rise, 1u)) checked = Health::healthy;
    return;
  }
  ++failures;
  last_error = answer.error;
  good_in_row = 0;
  bad_in_row = one_more(bad_in_row);
  if (bad_in_row >= std::max(spec.fall, 1u)) checked = Health::unhealthy;
}

void HealthFacts::forget_checks() {
  checked = Health::unknown;
  good_in_row = bad_in_row = 0;
  last_error.clear();
}

void HealthFacts::hand_over(const HealthSpec& spec) {
  const auto before = checked;
  forget_checks();
  if (before != Health::healthy) return;
  checked = before;
  bad_in_row = std::max(spec.fall, 1u) - 1;
}

Health effective(const HealthFacts& facts, CheckKind kind) {
  if (kind == CheckKind::none) return facts.reported;
  if (facts.reported == Health::unknown) return facts.checked;
  return badness(facts.reported) > badness(facts.checked) ? facts.reported : facts.checked;
}

std::string reason(const HealthFacts& facts, CheckKind kind) {
  const auto health = effective(facts, kind);
  if (health == Health::healthy || (health == Health::unknown && kind == CheckKind::none)) return {};
  const auto because = facts.last_error.empty() ? std::string() : ": " + facts.last_error;      // unknown after a restart, or of another address
  if (health == Health::unknown) return facts.bad_in_row > 0 ? "no good answer yet" + because : "not checked yet";
  if (kind != CheckKind::none && facts.checked == Health::unhealthy) return "check failed" + because;
  return facts.reported_reason.empty() ? "the module says so" : "the module says: " + facts.reported_reason;
}

}  // namespace nlb::registry
