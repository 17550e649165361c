// A recorded load and what a simulation needs of it: the demand of every second in replicas, and prefix sums. The text is one
// `seconds,rate` per line, `#` starts a comment; rates between points are interpolated, also across gaps.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"

namespace nlb::scale {

struct TracePoint { double seconds, rate; };
using Points = std::vector<TracePoint>;

// Times must rise; negative and non-finite rates are refused, with the line number. Errors: bad_input.
Result<Points> parse_trace(std::string_view text);

class Trace {   // immutable
 public:
  // One value per whole second from the first point to the last, divided by `capacity` (the rate that one replica carries at 100 %).
  // `speed` runs the recording faster. Errors: bad_input when it is shorter than a minute or longer than 400 days.
  static Result<Trace> sample(const Points& points, double capacity, double speed = 1);

  // The same load arriving by chance: each second's count is Poisson's (as a normal deviate) when one replica at 100 % carries
  // `per_replica` requests a second. Recordings by the minute are smoother than what they record.
  Trace with_arrivals(double per_replica, std::uint64_t seed) const;

  std::int64_t seconds() const { return static_cast<std::int64_t>(demand_.size()); }
  double demand(std::int64_t second) const { return demand_[static_cast<std::size_t>(second)]; }
  double sum(std::int64_t from, std::int64_t to) const { return prefix_[static_cast<std::size_t>(to)] - prefix_[static_cast<std::size_t>(from)]; }
  double mean(std::int64_t from, std::int64_t to) const { return sum(from, to) / static_cast<double>(to - from); }
  double capacity() const { return capacity_; }

 private:
  std::vector<double> demand_, prefix_;
  double capacity_ = 1;
};

// The capacity with which the 99.9th percentile of the minute means is `replicas`.
Result<double> automatic_capacity(const Points& points, double replicas = 30, double speed = 1);

}  // namespace nlb::scale
