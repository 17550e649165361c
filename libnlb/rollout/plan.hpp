// What a rollout is to do: versions, steps, how patient it is, and what follows when nobody can tell. Values, and reading of steps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/rollout/judge.hpp"

namespace nlb::rollout {

inline constexpr std::uint32_t weight_max = 10000;   // a weight is a count of 1/10,000
inline constexpr std::size_t steps_max = 100;

struct Step {
  std::uint32_t weight = 0;       // the canary's, 1 to 10,000
  Duration bake{0};               // at least this long
  bool first_contact = false;     // half of the first step, for seconds: no exposure is asked of it
  friend bool operator==(const Step&, const Step&) = default;
};

enum class OnInconclusive : std::uint8_t { pause, rollback };
enum class OnGroupAlarm : std::uint8_t { rollback_all, freeze };
enum class Drain : std::uint8_t { stay, deadline, reset };   // sessions of a version that has lost its traffic

struct Plan {
  std::string stable, candidate;
  std::vector<Step> steps;                  // rising; one of 10,000 at the end is promotion itself
  Duration first_contact{std::chrono::seconds(3)};   // 0: the first step begins at its full weight
  Duration deadline{std::chrono::hours(1)};          // of a step; then it is undecided
  Duration settle{std::chrono::seconds(30)};         // how long a rollback waits for a silent forwarder before it counts as done
  Duration keep_warm{std::chrono::minutes(10)};
  OnInconclusive on_inconclusive = OnInconclusive::pause;
  OnGroupAlarm on_group_alarm = OnGroupAlarm::rollback_all;
  Drain drain = Drain::stay;
  Duration drain_deadline{std::chrono::seconds(30)};
  bool needs_capacity = false;              // a step waits until the scaler reports the capacity that it needs
  std::vector<std::string> sites = {""};    // of a group; one without a name: no group
  JudgeOptions judge;
};

// "1,5,10,25,50,100" in percent (fractions to 0.01), each for `every`, or "1:2m,5:5m,10:5m" with a time of its own. Rising, at most 100.
Result<std::vector<Step>> parse_steps(std::string_view text, Duration every);
// The simple form: --step 10 --every 2m is 10, 20, ... 100.
Result<std::vector<Step>> even_steps(double percent, Duration every);
std::vector<Step> default_ladder();          // 1 % 2 min, 5 % 5 min, 10 % 5 min, 25 % 5 min, 50 % 10 min
std::string format_percent(std::uint32_t weight);   // 250 is "2.5"
std::string format_steps(const std::vector<Step>& steps);
Duration ladder_time(const std::vector<Step>& steps);

Result<> check(const Plan& plan);            // versions named and different, steps rising, sites named once

}  // namespace nlb::rollout
