// Kubernetes' HorizontalPodAutoscaler v2, exactly: wants per metric, two-sided stabilisation, rate policies. Source: Kubernetes
// documentation "Horizontal Pod Autoscaling" and pkg/controller/podautoscaler/{horizontal.go,replica_calculator.go}. With an injected
// clock, recommendations and events count while they are strictly younger than their window or period.
#pragma once

#include <deque>
#include <optional>
#include <span>

#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/window.hpp"

namespace nlb::scale {

// External metric with AverageValue: ratio = total / (target * current); inside the tolerance current, else ceil(total / target).
std::uint32_t want_external(std::uint32_t current, double total, double target, double tolerance);

struct Pod { bool ready = true; std::optional<double> value; };   // value: its use, in the unit of the target
// Per-pod metric: the mean use of ready pods with a metric; pods without one count as `assumed_full` on a decrease and as zero on
// an increase, pods that aren't ready as zero on an increase. No change when that flips the direction. nullopt: no pod has a metric.
std::optional<std::uint32_t> want_per_pod(std::uint32_t current, std::span<const Pod> pods, double target, double tolerance, double assumed_full);

// Whether a pod's CPU sample may be used: within its first 5 minutes only when it is ready and the sample began after it became so;
// later, a pod that has never been ready within its first 30 s isn't.
struct PodAge { Duration since_start; bool ready; Duration since_ready_change; Duration metric_window; Duration metric_age; };
bool cpu_ready(const PodAge& pod);

class Hpa {   // one owner, not thread safe
 public:
  Hpa(Limits limits, HpaSettings settings);
  // The whole pass for one metric's wish or the largest of several. nullopt: that metric failed.
  Decision decide(Now now, const Inputs& inputs, std::span<const std::optional<std::uint32_t>> wishes);
  // Tells that the target was changed by anything, so that the rate policies count it. decide() does not call it.
  void applied(MonoTime at, std::uint32_t from, std::uint32_t to);
  template <class V> void visit(V& v) { v("up", up_); v("down", down_); v("events", events_); v("started", started_); }

 private:
  using Event = Sample<std::int64_t>;   // the change in replicas
  std::uint32_t up_limit(MonoTime now, std::uint32_t current) const;
  std::uint32_t down_limit(MonoTime now, std::uint32_t current) const;
  std::int64_t start_of_period(MonoTime now, std::uint32_t current, Duration period) const;
  void stabilise(Decision& d, std::uint32_t want);

  Limits limits_;
  HpaSettings settings_;
  MinWindow<std::uint32_t> up_;
  MaxWindow<std::uint32_t> down_;
  std::deque<Event> events_;
  bool started_ = false;
};

}  // namespace nlb::scale
