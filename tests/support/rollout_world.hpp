// A controller's rollout and forwarders in simulated seconds, for tests. Messages can be lost, and forwarders can lag.
#pragma once

#include <vector>

#include "libnlb/rollout/journal.hpp"
#include "libnlb/rollout/rollout.hpp"

namespace nlb::rollout::testing {

inline Plan plan_to(const std::string& version, const std::string& steps = "10:1m,50:1m,100:1m") {
  Plan plan;
  plan.candidate = version;
  plan.steps = *parse_steps(steps, std::chrono::minutes(1));
  plan.first_contact = Duration{0};
  plan.keep_warm = std::chrono::minutes(10);
  return plan;
}

inline Command verb(Input input, Plan plan = {}) {
  Command command;
  command.verb = input;
  command.plan = std::move(plan);
  command.salt_seed = 99;
  return command;
}

struct World {
  Rollout rollout{"web", "v1", 1};
  std::vector<std::vector<Split>> forwarders = {{Split{}}};   // by site: what each forwarder has applied
  std::vector<Counts> traffic = {{100, 900, 0, 1}};           // by site, per second while the canary has weight
  std::int64_t now = 0;
  bool deliver = true;
  std::uint32_t capacity = weight_max;
  Health health;
  Room room;
  std::vector<Action> done;

  MonoTime time() const { return MonoTime{} + std::chrono::seconds(now); }

  void carry_out(const Decision& decision) {
    for (const auto& action : decision.actions) {
      done.push_back(action);
      if (action.kind != ActionKind::publish_split || !deliver || action.site >= forwarders.size()) continue;
      for (auto& applied : forwarders[action.site]) applied = rollout.split(action.site);
    }
  }

  Result<> command(const Command& command) {
    auto decision = rollout.command(time(), command);
    if (!decision) return tl::unexpected(decision.error());
    carry_out(*decision);
    return {};
  }

  std::vector<SiteNews> news() const {
    std::vector<SiteNews> sites;
    for (std::size_t i = 0; i < forwarders.size(); ++i) {
      SiteNews site;
      site.capacity_weight = capacity;
      site.health = health;
      site.room = room;
      const auto weight = forwarders[i].front().candidate_weight;
      if (weight > 0 && weight < weight_max)
        site.samples.push_back({std::max<std::int64_t>(0, rollout.second(time()) - 1), 0, {{0, traffic[i], {}}}});
      for (std::size_t k = 0; k < forwarders[i].size(); ++k) {
        const auto& applied = forwarders[i][k];
        site.forwarders.push_back({"f" + std::to_string(k), true, applied.epoch, applied.version, applied.candidate_weight, weight_max, 0});
      }
      sites.push_back(std::move(site));
    }
    return sites;
  }

  void second() {
    ++now;
    carry_out(rollout.step(time(), news()));
  }

  bool run_until(Phase phase, int seconds_max = 4000) {
    for (int i = 0; i < seconds_max && rollout.phase() != phase; ++i) second();
    return rollout.phase() == phase;
  }
  void run(int seconds) {
    for (int i = 0; i < seconds; ++i) second();
  }

  void restart(std::uint64_t epoch) {   // killed, and started again from what the journal holds
    const auto saved = to_json(rollout.save(time()));
    rollout = Rollout::restore(from_json(saved).value(), time());
    carry_out(rollout.resume(time(), epoch));
  }
};

}  // namespace nlb::rollout::testing
