// The default strategy: enough replicas for the load that a replica ordered now will meet, at the target's share of each. Out at once;
// in when three cool-downs (15 minutes) have passed since it went out: by 12 percent and more at once, by less after six, and never to
// less than carries a rise of 5 percent, so that a count that is nearly right stays. The forecast is made per metric (forecast.hpp); the
// metric that needs most wins; a missing one never scales in.
#pragma once

#include <array>

#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/forecast.hpp"
#include "libnlb/scale/freshness.hpp"
#include "libnlb/scale/window.hpp"

namespace nlb::scale {

class Predictive {   // one owner, not thread safe
 public:
  Predictive(Limits limits, PredictiveSettings settings, Duration interval);
  Decision decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup);
  const Forecast& forecast(MetricKind kind) const { return forecasts_[static_cast<std::size_t>(kind)]; }
  bool sound() const;   // false when a restored state is not one that was saved
  template <class V> void visit(V& v) { v("forecasts", forecasts_); v("calm", calm_); v("raised", raised_); }

 private:
  struct Need { double reactive = 0, planned = 0, needed = 0; bool known = false; };   // in replicas
  Need need_of(Now now, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup);
  void settle(Decision& d, const Need& need);

  Limits limits_;
  PredictiveSettings settings_;
  Duration interval_;
  std::array<Forecast, metric_kinds> forecasts_;
  MaxWindow<std::uint32_t> calm_;   // what was wanted in the last six cool-downs
  std::optional<MonoTime> raised_;
};

}  // namespace nlb::scale
