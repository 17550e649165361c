#include "libnlb/rollout/simulate.hpp"

#include <array>
#include <optional>

#include "libnlb/rollout/rollout.hpp"

namespace nlb::rollout {
namespace {

std::optional<Outcome> outcome_of(Phase phase) {
  switch (phase) {
    case Phase::promoting:
    case Phase::promoted: return Outcome::promoted;
    case Phase::rolling_back:
    case Phase::rolled_back: return Outcome::rolled_back;
    case Phase::undecided: return Outcome::undecided;
    case Phase::idle:
    case Phase::holding:
    case Phase::shifting:
    case Phase::baking:
    case Phase::waiting_for_traffic:
    case Phase::paused:
    case Phase::frozen: return std::nullopt;
  }
  return std::nullopt;
}

class Bench {   // a controller and its forwarder, in simulated seconds
 public:
  explicit Bench(const Plan& plan) : rollout_("simulated", plan.stable, 1) {
    news_[0].forwarders.push_back({"forwarder", true, 1, 0, 0, 0, 0});
    news_[0].samples.push_back({0, 0, {{0, {}, {}}}});
    Command start{Input::start, plan, 0, 0, 0, {}};
    started_ = rollout_.command(MonoTime{}, start).has_value();
    step(0);
  }
  bool started() const { return started_; }
  std::uint32_t weight() const { return rollout_.weight(); }

  // Books the counts of second `t` and lets the controller act at its end.
  std::optional<Outcome> pass(std::int64_t t, const Counts& counts, double weight) {
    auto& sample = news_[0].samples[0];
    sample.second = t;
    sample.weight = weight;
    sample.signals[0].counts = counts;
    step(t + 1);
    sample.signals[0].counts = {};   // a second look within the second brings nothing new
    if (rollout_.phase() == Phase::shifting) step(t + 1);
    return outcome_of(rollout_.phase());
  }

 private:
  void step(std::int64_t t) {
    news_[0].forwarders[0].applied_version = rollout_.split().version;
    rollout_.step(MonoTime{} + std::chrono::seconds(t), news_);
    news_[0].forwarders[0].applied_version = rollout_.split().version;
  }
  Rollout rollout_;
  std::array<SiteNews, 1> news_{};
  bool started_ = false;
};

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::promoted: return "promoted";
    case Outcome::rolled_back: return "rolled_back";
    case Outcome::undecided: return "undecided";
  }
  return "undecided";
}

SimulatedRun simulate(const Scenario& scenario, const Plan& plan, std::uint64_t seed) {
  Load load(scenario, seed);
  Bench bench(plan);
  SimulatedRun run;
  const auto limit = to_seconds(plan.deadline) * static_cast<double>(plan.steps.size() + 1) + to_seconds(ladder_time(plan.steps));
  for (std::int64_t t = 0; bench.started() && static_cast<double>(t) < limit; ++t) {
    const double weight = static_cast<double>(bench.weight()) / weight_max;
    const auto second = load.next(weight);
    run.canary_failures += second.canary_failures;
    run.canary_attempts += second.counts.canary_attempts;
    run.seconds = t + 1;
    if (const auto outcome = bench.pass(t, second.counts, weight)) {
      run.outcome = *outcome;
      break;
    }
  }
  return run;
}

SimulatedRun replay(std::span<const Counts> seconds, const Plan& plan) {
  Bench bench(plan);
  SimulatedRun run;
  for (const auto& counts : seconds) {
    run.canary_failures += counts.canary_bad;
    run.canary_attempts += counts.canary_attempts;
    if (const auto outcome = bench.pass(run.seconds++, counts, 0)) {
      run.outcome = *outcome;
      break;
    }
  }
  return run;
}

}  // namespace nlb::rollout
