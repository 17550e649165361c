#include "libnlb/rollout/journal.hpp"

#include <nlohmann/json.hpp>

// Durations are nanoseconds, enumerations are their names or small numbers, doubles are printed so that they read back exactly.
template <>
struct nlohmann::adl_serializer<nlb::Duration> {
  static void to_json(json& to, const nlb::Duration& value) { to = value.count(); }
  static void from_json(const json& from, nlb::Duration& value) { value = nlb::Duration(from.get<std::int64_t>()); }
};

namespace nlb::rollout {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Step, weight, bake, first_contact)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Signal, name, alpha_part, evidence_by_replica, stage)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(JudgeOptions, alpha, tolerated_ratio, delta, suspicion, signals)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Plan, stable, candidate, steps, first_contact, deadline, settle, keep_warm, on_inconclusive,
                                   on_group_alarm, drain, drain_deadline, needs_capacity, sites, judge)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Counts, canary_attempts, stable_attempts, canary_bad, stable_bad)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Evidence::Saved, bets, boost, mirror, tolerated_ratio, alpha, base, total)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Judge::SavedReplica, replica, attempts, bad, without)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Judge::SavedTrack, all, replicas, canary_raw, stable_raw)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Judge::Saved, tracks, ejected)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Rollout::SavedSite, weight, rolled_back, judge)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Revision, number, from, to, verb, outcome, why)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Rollout::State, service, plan, phase, step, epoch, split_version, revision, salt, reason, run, in_phase,
                                   in_step, baked, sites, history)

namespace {

bool whole(const Rollout::State& state) {
  const bool step_exists = state.revision == 0 || state.step < state.plan.steps.size();
  return static_cast<std::size_t>(state.phase) < phase_names.size() && step_exists && !state.sites.empty() &&
         (state.revision == 0 || state.sites.size() == state.plan.sites.size());
}

}  // namespace

std::string to_json(const Rollout::State& state) { return nlohmann::json(state).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

Result<Rollout::State> from_json(std::string_view text) {
  try {
    auto state = nlohmann::json::parse(text).get<Rollout::State>();
    if (whole(state)) return state;
    return fail(ErrorKind::bad_input, "rollout's journal can't be read: its parts contradict each other: restore the store from a copy");
  } catch (const nlohmann::json::exception& e) {
    return fail(ErrorKind::bad_input, std::string("rollout's journal can't be read: ") + e.what() + ": restore the store from a copy");
  }
}

}  // namespace nlb::rollout
