// Which metrics may be used. A sample is new when its sequence changed; a source whose sequence stands still, or whose sample is
// older than three periods (its own, or the policy's interval where that is longer), is missing. Silence never becomes a number.
#pragma once

#include <array>
#include <optional>

#include "libnlb/scale/decision.hpp"

namespace nlb::scale {

struct Reading { double total = 0; bool is_new = false; };
using Readings = std::array<std::optional<Reading>, metric_kinds>;   // nullopt: not wanted or missing

class Freshness {
 public:
  explicit Freshness(Duration period) : longest_(3 * period) {}
  // Keeps what each source said last; fills in the decision's metrics and missing kinds.
  Readings read(Now now, const Inputs& inputs, const std::array<double, metric_kinds>& target);

  template <class V> void visit(V& v) { v("sources", sources_); }

 private:
  struct Source {
    std::uint64_t sequence = 0;
    MonoTime advanced;
    bool known = false;
    template <class V> void visit(V& v) { v("sequence", sequence); v("advanced", advanced); v("known", known); }
  };
  Duration longest_;
  std::array<Source, metric_kinds> sources_{};
};

void note_metrics(Decision& decision, const Readings& readings, const std::array<double, metric_kinds>& target);

}  // namespace nlb::scale
