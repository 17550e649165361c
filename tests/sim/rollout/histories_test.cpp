// Random histories: a controller that is killed at its journal writes and in the middle of its messages, forwarders that lose, delay
// and repeat messages and restart, an old controller that wakes up, and people who type random verbs. One seed is one history.
#include <catch2/catch.hpp>

#include <deque>
#include <optional>

#include "libnlb/core/sticky.hpp"
#include "libnlb/core/rng.hpp"
#include "tests/support/rollout_world.hpp"

using namespace nlb;
using namespace nlb::rollout;
using namespace nlb::rollout::testing;

namespace {

struct Forwarder {
  std::size_t site = 0;
  Split applied;
  std::deque<std::pair<std::int64_t, Split>> mail;   // due, content
  std::uint64_t reported_epoch = 0, reported_version = 0;

  // The fencing rule: an older token, or an older version of the same, changes nothing.
  void receive(const Split& split) {
    if (std::pair(split.epoch, split.version) < std::pair(applied.epoch, applied.version)) return;
    check_moves(split);
    applied = split;
  }
  // No client goes from the candidate back to stable while the candidate's weight rises.
  void check_moves(const Split& next) const {
    if (next.salt != applied.salt || next.candidate != applied.candidate || next.candidate_weight < applied.candidate_weight) return;
    for (std::uint32_t bucket = 0; bucket < sticky_buckets; bucket += 101)
      if (bucket < applied.candidate_weight) REQUIRE(bucket < next.candidate_weight);
  }
};

class History {
 public:
  explicit History(std::uint64_t seed) : rng_(seed), bad_canary_(rng_.below(3) == 0), sites_(1 + rng_.below(2)) {
    for (std::size_t i = 0; i < 1 + rng_.below(4); ++i) forwarders_.push_back({i % sites_, {}, {}, 0, 0});
    if (forwarders_.size() < sites_) sites_ = forwarders_.size();
    journal_ = to_json(rollout_.save(time()));
  }

  void live(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      ++now_;
      if (rng_.below(20) == 0) random_verb();
      if (rng_.below(50) == 0) restart();
      if (rng_.below(100) == 0 && zombie_) old_controller_speaks();
      tick();
    }
  }

  // After the faults have stopped: whatever happened, a rollback ends with stable at 100 % everywhere.
  void end_in_rollback() {
    calm_ = true;
    restart();
    while (rollout_.phase() == Phase::idle || rollout_.phase() == Phase::rolled_back) begin();
    for (int i = 0; i < 5; ++i) ++now_, tick();
    if (rollout_.phase() != Phase::rolled_back) give(verb(Input::rollback));
    const auto stable = rollout_.plan().stable;
    for (int i = 0; i < 60; ++i) ++now_, tick();
    REQUIRE(rollout_.phase() == Phase::rolled_back);
    for (const auto& forwarder : forwarders_) {
      REQUIRE(forwarder.applied.candidate_weight == 0);
      REQUIRE(forwarder.applied.stable == stable);
    }
  }

  int crashes() const { return crashes_; }
  int rollbacks() const { return rollbacks_; }
  int promotions() const { return promotions_; }

 private:
  MonoTime time() const { return MonoTime{} + std::chrono::seconds(now_); }
  bool unlucky(std::uint64_t one_in) { return !calm_ && rng_.below(one_in) == 0; }

  void begin() {
    auto plan = plan_to("v" + std::to_string(2 + rng_.below(5)), rng_.below(2) == 0 ? "1:20s,10:20s,50:20s" : "5:30s,100:30s");
    plan.sites.clear();
    for (std::size_t i = 0; i < sites_; ++i) plan.sites.push_back("site" + std::to_string(i));
    plan.deadline = 5min;
    plan.keep_warm = 1min;
    plan.first_contact = rng_.below(2) == 0 ? Duration{3s} : Duration{0};
    plan.on_group_alarm = rng_.below(2) == 0 ? OnGroupAlarm::freeze : OnGroupAlarm::rollback_all;
    auto command = verb(rng_.below(4) == 0 && !calm_ ? Input::switch_over : Input::start, plan);
    command.salt_seed = rng_();
    give(command);
  }

  void random_verb() {
    const auto chosen = static_cast<Input>(rng_.below(verb_count));
    if (chosen == Input::start || chosen == Input::switch_over) return begin();
    auto command = verb(chosen);
    command.weight = static_cast<std::uint32_t>(rng_.below(weight_max));
    command.revision = 1 + rng_.below(std::max<std::uint64_t>(1, rollout_.revision()));
    give(command);
  }

  void give(const Command& command) {
    const auto before = rollout_.phase();
    const auto decision = rollout_.command(time(), command);
    if (!next_phase(before, command.verb)) REQUIRE_FALSE(decision);
    if (decision) carry_out(*decision);
  }

  // Journal, act, and die anywhere between.
  void carry_out(const Decision& decision) {
    check();
    if (decision.journal) {
      if (unlucky(15)) return crash();          // before the write: as if it had never been decided
      journal_ = to_json(rollout_.save(time()));
      if (unlucky(15)) return crash();          // after the write, before acting
    }
    for (const auto& action : decision.actions) {
      if (action.kind == ActionKind::publish_split) publish(rollout_, action.site);
      if (unlucky(40)) return crash();          // in the middle of acting
      rollbacks_ += action.kind == ActionKind::announce && action.text == "rolled_back";
      promotions_ += action.kind == ActionKind::announce && action.text == "promoted";
    }
  }

  void publish(const Rollout& from, std::size_t site) {
    for (auto& forwarder : forwarders_)
      if (forwarder.site == site && !unlucky(5)) {
        forwarder.mail.push_back({now_ + (calm_ ? 0 : static_cast<std::int64_t>(rng_.below(4))), from.split(site)});
        if (unlucky(5)) forwarder.mail.push_back(forwarder.mail.back());
      }
  }

  void crash() {
    ++crashes_;
    restart();
  }

  void restart() {
    if (rng_.below(3) == 0) zombie_ = rollout_;   // the old one only sleeps
    rollout_ = Rollout::restore(from_json(journal_).value(), time());
    const auto decision = rollout_.resume(time(), ++epoch_);
    journal_ = to_json(rollout_.save(time()));
    for (const auto& action : decision.actions)
      if (action.kind == ActionKind::publish_split) publish(rollout_, action.site);
  }

  void old_controller_speaks() {
    for (std::size_t site = 0; site < sites_; ++site) publish(*zombie_, site);
  }

  SiteNews news_of(std::size_t site) {
    SiteNews news;
    std::uint32_t weight = 0;
    for (auto& forwarder : forwarders_) {
      if (forwarder.site != site) continue;
      weight = forwarder.applied.candidate_weight;
      if (!unlucky(4)) {   // else the acknowledgement is late
        forwarder.reported_epoch = forwarder.applied.epoch;
        forwarder.reported_version = forwarder.applied.version;
      }
      news.forwarders.push_back({"f", !unlucky(30), forwarder.reported_epoch, forwarder.reported_version, 0, 0, 0});
    }
    const Counts counts{weight / 10, (weight_max - weight) / 10, binomial(weight / 10), 1};
    if (weight > 0 && !unlucky(10)) news.samples.push_back({rollout_.second(time()), 0, {{0, counts, {}}}});
    return news;
  }
  std::uint64_t binomial(std::uint64_t attempts) { return bad_canary_ ? attempts / 20 + rng_.below(2) : attempts > 500 ? rng_.below(2) : 0; }

  void tick() {
    for (auto& forwarder : forwarders_) {
      auto mail = std::exchange(forwarder.mail, {});
      for (auto& [due, split] : mail) {
        if (due <= now_) forwarder.receive(split);
        else forwarder.mail.push_back({due, split});
      }
    }
    std::vector<SiteNews> news;
    for (std::size_t site = 0; site < std::max(sites_, rollout_.plan().sites.size()); ++site) news.push_back(news_of(site));
    carry_out(rollout_.step(time(), news));
    if (now_ % 3 == 0)   // whole states are published again and again: a lost one only comes late
      for (std::size_t site = 0; site < sites_; ++site) publish(rollout_, site);
  }

  void check() {
    for (std::size_t site = 0; site < sites_; ++site) {
      const auto split = rollout_.split(site);
      REQUIRE(split.candidate_weight + split.stable_weight() == weight_max);
      if (rollout_.phase() == Phase::rolled_back || rollout_.phase() == Phase::rolling_back) REQUIRE(split.candidate_weight == 0);
      if (rollout_.phase() == Phase::promoted) REQUIRE(split.candidate_weight == weight_max);
    }
    const std::pair intent(rollout_.split().epoch, rollout_.split().version);
    REQUIRE(intent >= newest_intent_);
    newest_intent_ = intent;
  }

  Rng rng_;
  bool bad_canary_, calm_ = false;
  std::size_t sites_;
  std::int64_t now_ = 0;
  std::uint64_t epoch_ = 1;
  std::pair<std::uint64_t, std::uint64_t> newest_intent_{0, 0};
  Rollout rollout_{"web", "v1", 1};
  std::optional<Rollout> zombie_;
  std::string journal_;
  std::vector<Forwarder> forwarders_;
  int crashes_ = 0, rollbacks_ = 0, promotions_ = 0;
};

}  // namespace

TEST_CASE("whatever happened before, a rollback ends with stable at 100 % on every forwarder") {
  int crashes = 0, rollbacks = 0, promotions = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    History history(seed);
    history.live(600);
    history.end_in_rollback();
    crashes += history.crashes();
    rollbacks += history.rollbacks();
    promotions += history.promotions();
  }
  CHECK(crashes > 1000);   // the histories are what they claim to be
  CHECK(rollbacks > 400);
  CHECK(promotions > 200);
}
