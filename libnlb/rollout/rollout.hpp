// One service's rollouts: a value that commands and news drive, and that answers with what to journal and what to do.
//
// The order that survives a crash at any point: change the state (here), write it to the journal (`Decision::journal`), carry out the
// actions. Actions publish whole states, so carrying one out twice changes nothing; after a crash `resume` says them all again.
//
//   * A step up: ask for capacity (holding), publish weights (shifting), wait until every live forwarder has acknowledged them and
//     measures a share within 3 sigma, then bake. A forwarder that lags blocks steps up, never a rollback.
//   * A step passes after its bake time, with enough exposure, no alarm and no suspicion, at every site of the group.
//   * A canary without room (few free places, or sessions that wait for one) gets no more weight; the next step's capacity is asked for.
//   * A rollback publishes stable at 100 % at once, whatever the phase, and names the version it goes back to.
//   * A controller that comes back keeps the weights, and neither steps up nor promotes before one more bake time.
//   * Every intent carries the owner's epoch (fencing token) and a version that only grows.
// Pure: time and news are parameters. One owner, not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/rollout/gates.hpp"
#include "libnlb/rollout/judge.hpp"
#include "libnlb/rollout/phase.hpp"
#include "libnlb/rollout/plan.hpp"

namespace nlb::rollout {

enum class ActionKind : std::uint8_t { publish_split, ask_capacity, release_capacity, eject_replica, retire_version, announce };
struct Action {
  ActionKind kind = ActionKind::announce;
  std::size_t site = 0;
  std::uint32_t weight = 0;               // ask_capacity: of the candidate, for the coming step
  std::string text;                       // replica to eject; version to retire; what to announce
};

struct Decision {
  bool journal = false;                   // write the state first, durably; on failure do nothing of this and say so
  std::vector<Action> actions;
};

struct Command {
  Input verb = Input::pause;
  Plan plan;                              // start, switch
  std::uint32_t weight = 0;               // set-weight
  std::uint64_t revision = 0;             // undo
  std::uint64_t salt_seed = 0;            // start, switch: randomness for the new rollout's salt
  std::optional<std::uint64_t> expected_revision;   // compare-and-set
};

Error other_revision(std::string_view verb, std::uint64_t in_force, std::uint64_t expected);      // why compare-and-set refuses

struct Revision {                         // one rollout, for history and undo
  std::uint64_t number = 0;
  std::string from, to, verb, outcome, why;   // outcome: "" while it runs, promoted, rolled_back
  std::string serving() const { return outcome == "promoted" ? to : from; }
};

class Rollout {
 public:
  Rollout() = default;
  Rollout(std::string service, std::string stable, std::uint64_t epoch);

  Result<Decision> command(MonoTime now, const Command& command);
  Decision step(MonoTime now, std::span<const SiteNews> sites);   // once a second; sites in the plan's order
  Decision resume(MonoTime now, std::uint64_t epoch);             // first thing after a restart or a take-over
  Decision tolerate(double ratio);                                // the A/A test raised r0

  const std::string& service() const { return state_.service; }
  Phase phase() const { return state_.phase; }
  const Plan& plan() const { return state_.plan; }
  const std::string& serving() const { return state_.phase == Phase::promoted ? state_.plan.candidate : state_.plan.stable; }   // what a rollback keeps
  std::size_t step_index() const { return state_.step; }
  std::uint32_t weight(std::size_t site = 0) const { return site < state_.sites.size() ? state_.sites[site].weight : 0; }
  std::uint64_t revision() const { return state_.revision; }
  const std::vector<Revision>& history() const { return state_.history; }
  const Judge& judge(std::size_t site = 0) const { return sites_[site]; }
  const std::string& reason() const { return state_.reason; }       // of the last change, with its numbers
  const std::string& waits_for() const { return waits_for_; }       // why nothing moves right now
  Split split(std::size_t site = 0) const;
  std::int64_t second(MonoTime now) const;                          // the rollout's clock
  Duration bake_left(MonoTime now) const;
  std::vector<std::string> explain() const;

  // All that a restart needs; durations instead of times, since clocks don't survive a machine.
  struct SavedSite { std::uint32_t weight = 0; bool rolled_back = false; Judge::Saved judge; };
  struct State {
    std::string service;
    Plan plan;
    Phase phase = Phase::idle;
    std::size_t step = 0;
    std::uint64_t epoch = 0, split_version = 0, revision = 0;
    SipKey salt{};
    std::string reason;
    Duration run{0}, in_phase{0}, in_step{0}, baked{0};
    std::vector<SavedSite> sites;
    std::vector<Revision> history;
  };
  State save(MonoTime now) const;
  static Rollout restore(State state, MonoTime now);

 private:
  void enter(MonoTime now, Phase phase, std::string reason);
  void begin(MonoTime now, const Command& command, Plan plan);
  void set_weights(std::uint32_t weight, Decision& decision);
  void publish_all(Decision& decision) const;
  void enter_step(MonoTime now, Decision& decision);
  void go(MonoTime now, Input input, std::string reason, Decision& decision);
  void finish(std::string outcome, Decision& decision);
  bool judge_sites(MonoTime now, std::span<const SiteNews> sites, Decision& decision);
  void site_alarm(MonoTime now, std::size_t site, const Verdict& verdict, Decision& decision);
  bool open(std::optional<std::string> gate);   // remembers what it waits for
  std::vector<Split> splits() const;
  void advance(MonoTime now, std::span<const SiteNews> sites, Decision& decision);
  void bake(MonoTime now, std::span<const SiteNews> sites, Decision& decision);
  void ask_ahead(Decision& decision);
  bool overdue(MonoTime now, Decision& decision);
  Input promoted_by(Input verb);
  Result<Decision> refuse(Input verb) const;
  Result<Plan> plan_for(const Command& command) const;

  State state_;                      // its durations are filled by save()
  std::vector<Judge> sites_;
  std::vector<Verdict> verdicts_;
  MonoTime began_{}, phase_since_{}, step_since_{}, bake_since_{};
  std::string waits_for_;
  bool asked_ahead_ = false;         // for the next step's capacity, in this step
};

inline constexpr std::size_t history_max = 100;

}  // namespace nlb::rollout
