// The original rule, repaired: a step out when any metric is above its target in N fresh samples in a row, a step in when all are
// below the lower threshold in N fresh samples in a row and would stay below the upper one afterwards. A sample is judged once; one
// cool-down per direction; a missing metric ends every run of low samples; limits are corrected at once.
#pragma once

#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/freshness.hpp"

namespace nlb::scale {

class Threshold {   // one owner, not thread safe
 public:
  Threshold(Limits limits, ThresholdSettings settings) : limits_(limits), settings_(settings) {}
  Decision decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target);
  void applied(MonoTime at, std::uint32_t from, std::uint32_t to);
  template <class V> void visit(V& v) { v("high", state_.high); v("low", state_.low); v("raised", state_.raised); v("lowered", state_.lowered); }

 private:
  struct State { std::uint32_t high = 0, low = 0; std::optional<MonoTime> raised, lowered; };
  void count(const Decision& d, const Readings& readings, const std::array<double, metric_kinds>& target);
  void step(Decision& d) const;
  bool cooling(MonoTime now, bool up) const;

  Limits limits_;
  ThresholdSettings settings_;
  State state_;
  double use_ = 0;   // the largest metric as a share of its target
};

}  // namespace nlb::scale
