#pragma once
#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/freshness.hpp"
#include "libnlb/scale/window.hpp"

namespace nlb::scale {
class Predictive {
 public:
  Predictive(Limits limits, PredictiveSettings settings) : limits_(limits), settings_(settings), recent_(180s), down_(300s) {}
  Decision decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup);
 private:
  Limits limits_;
  PredictiveSettings settings_;
  MeanWindow recent_;
  MaxWindow<std::uint32_t> down_;
};
}  // namespace nlb::scale
