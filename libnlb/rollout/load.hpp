// A synthetic load for `nlb-deploy simulate`: attempts and failures of both colours, second by second, from a seed.
//
// `rate` attempts a second; the canary's are a binomial share of them at the weight in force, failures a binomial share of those.
//   incident shared   one incident, uniform over the ladder, three minutes long, multiplies both colours' failure rate by 30
//   incident drift    the base rate swings by a factor of 3 up and down over ten minutes: exp(ln 3 * sin), from a random phase
//   incident both     an incident on top of a drifting rate
//   burst b           failures come from broken clients: one in b as many events, each client failing once a second for b seconds,
//                     on the colour that its bucket has at the time
// The base rate is held below 60 % (or the base given, where that is more), the canary's below 100 %.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/rollout/distinct.hpp"
#include "libnlb/rollout/evidence.hpp"

namespace nlb::rollout {

struct Effect {   // what is wrong with the canary
  double factor = 1, added = 0;
};
Result<Effect> parse_effect(std::string_view text);   // "none", "x5", "+0.05"

enum class Incident : std::uint8_t { none, shared, drift, both };
enum class CountBy : std::uint8_t { clients, raw };   // raw is for showing why it must not be

struct Scenario {
  double rate = 500, base = 0.001;
  Effect effect;
  Incident incident = Incident::none;
  std::uint32_t burst = 1;
  CountBy count_by = CountBy::clients;
  double ladder_seconds = 1620;   // over which a shared incident may begin
};

// Exact: inversion for small means, Hoermann's BTRS (1993) above. The same numbers everywhere, unlike std::binomial_distribution.
std::uint64_t binomial(Rng& rng, std::uint64_t n, double p);

class Load {
 public:
  Load(const Scenario& scenario, std::uint64_t seed);
  struct Second {
    Counts counts;                     // bad events as the judge is to count them
    std::uint64_t canary_failures = 0; // raw: what users met
  };
  Second next(double canary_weight);

 private:
  struct BrokenClient { std::uint64_t key; double bucket; std::uint32_t left; };
  double base_rate() const;
  void break_clients(std::uint64_t canary, std::uint64_t stable, double weight);
  void fail_clients(double weight, Second& second);

  Scenario scenario_;
  Rng rng_;
  std::int64_t second_ = 0;
  double attempts_owed_ = 0, incident_from_ = 0, phase_ = 0;
  std::vector<BrokenClient> broken_;
  FailingClients failing_;
};

}  // namespace nlb::rollout
