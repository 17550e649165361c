// What the user wants of one service (or one version of it): limits, targets per replica, strategy and its settings; and the check
// that refuses a policy nobody can follow, with the reason.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::scale {

enum class Strategy : std::uint8_t { threshold, hpa, predictive };
inline constexpr std::array<std::string_view, 3> strategy_names = {"threshold", "hpa", "predictive"};
constexpr std::string_view to_string(Strategy s) { return strategy_names[static_cast<std::size_t>(s)]; }

// What is measured. `total` of a metric is its sum over the replicas: arrivals per second, open connections, percent of a core.
enum class MetricKind : std::uint8_t { rate, connections, cpu, memory };
inline constexpr std::size_t metric_kinds = 4;
inline constexpr std::array<std::string_view, metric_kinds> metric_names = {"rate", "connections", "cpu", "memory"};
constexpr std::string_view to_string(MetricKind k) { return metric_names[static_cast<std::size_t>(k)]; }

inline constexpr std::uint32_t replicas_max = 1'000'000;      // of one version, as scale.policies[].max in nlb.yaml
struct Limits { std::uint32_t min = 1, max = 10; };

struct RatePolicy {                                   // of HPA v2: at most `value` pods or percent in `period`
  enum class Kind : std::uint8_t { pods, percent } kind;
  std::uint32_t value;
  Duration period;
};
enum class Select : std::uint8_t { max, min, disabled };   // the policy that allows most, least, or no change at all
struct HpaDirection { Duration window; Select select; std::vector<RatePolicy> policies; };
struct HpaSettings {                                  // defaults are those of autoscaling/v2
  double tolerance = 0.1;
  HpaDirection up{Duration{}, Select::max, {{RatePolicy::Kind::pods, 4, 15s}, {RatePolicy::Kind::percent, 100, 15s}}};
  HpaDirection down{300s, Select::max, {{RatePolicy::Kind::percent, 100, 15s}}};
};

struct ThresholdSettings {
  std::uint32_t periods = 3;                          // fresh samples in a row before anything happens
  Duration up_cooldown = 3min, down_cooldown = 5min;  // since the last change in the same direction or a rise
  std::uint32_t up_step = 1, down_step = 1;
  double up_share = 1, down_share = 0.5;              // of a target: out above the first, in below the second
};

struct PredictiveSettings {
  Duration startup = 30s;        // until registrations have taught the real one
  Duration down_cooldown = 5min; // after going out, three times as long passes before going in; small steps in wait for six
  double saturation = 0.9;       // of a replica's capacity; above it clients wait
  double capacity_share = 0.7;   // what share of its capacity a replica carries when it is at its target
};

struct StepLimits { std::uint32_t up_max = 0, down_max = 0; };   // replicas per decision of hpa and predictive; 0: no limit

struct Policy {
  Strategy strategy = Strategy::predictive;
  Limits limits;
  std::array<double, metric_kinds> target{0, 1000, 70, 80};   // wanted per replica; 0: not used
  Duration interval = 30s;
  StepLimits steps;
  HpaSettings hpa;
  ThresholdSettings threshold;
  PredictiveSettings predictive;
};

Result<Policy> checked(Policy policy);   // the policy itself, or ErrorKind::refused with every reason in the text

}  // namespace nlb::scale
