// The load to be ready for: the peak until a replica that is ordered now can serve. Three plans run side by side and are judged by
// what they would have cost:
//   trend      the load of now and its rise, kept for a cool-down (5 minutes)
//   both       the larger of that and what this time of day usually brings, kept for three of them
//   usual      the larger of the load of now and what this time of day usually brings, kept for three of them
// Every plan meets reality once the lead time has passed: a Tail per plan keeps by how much the peak exceeded it over the last day or
// so, and finds the margin that would have been cheapest. Every ten minutes the plan that is cheapest with its own best margin
// is chosen, if it beats the running one by 3 percent. So a load without a rhythm is never judged by one, and the margin is as wide as
// this load needs. No assumption about distributions. Independent of targets and limits.
#pragma once

#include <array>
#include <deque>
#include <string_view>

#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/seasonal.hpp"
#include "libnlb/scale/tail.hpp"
#include "libnlb/scale/window.hpp"

namespace nlb::scale {

inline constexpr std::array<std::string_view, 3> plan_names = {"trend", "both", "usual"};

struct Outlook {              // in the unit of the metric
  double now = 0;             // the load that is here
  double planned = 0;         // the chosen plan's peak, without its margin
  double needed = 0;          // with it, and at least `now`; what capacity should be there for. Below `planned` where plans have proved too high
  std::size_t plan = 0;       // index into plan_names
  template <class V> void visit(V& v) { v("now", now); v("planned", planned); v("needed", needed); v("plan", plan); }
};

// A load that is expected, in the band that capacity is planned for: low <= rate <= high.
struct Band {
  double rate = 0, low = 0, high = 0;
  bool operator==(const Band&) const = default;
};

class Forecast {   // one per metric; one owner, not thread safe
 public:
  explicit Forecast(Duration interval, Duration cooldown = 5min);   // between ticks, as planned; before going in
  // Takes the load of the last tick (a mean over it); `lead` is the time from an order to its first served request. Ticks may be
  // irregular; after a gap of three intervals (at least a minute) the windows start anew, and
  // what was learned stays.
  Outlook tick(Now now, double load, Duration lead);
  const Outlook& outlook() const { return outlook_; }
  // When a replica that is ordered now can serve: from the load that is here to the load to be ready for. A plan holds on to a peak, and
  // its margin is negative where that has proved too much: then no more is expected than the margin leaves.
  Band ahead() const;
  Band usual(double peak) const;            // later: a usual_peak(), and with the margin, which may lower a plan but not what is usual
  double margin() const;                    // of the chosen plan, as a share of it; negative where its plans have proved too high
  double mean_error() const { return plans_[chosen_].tail.mean_error(); }      // of its plans, as a share; 0 before any has met reality
  std::optional<double> usual_peak(WallTime now, Duration ahead) const { return seasonal_.peak(now, ahead); }
  bool sound() const { return chosen_ < plan_count && seasonal_.sound(); }   // of a restored state
  template <class V> void visit(V& v) {
    v("recent", recent_); v("peaks", peaks_); v("pending", pending_); v("plans", plans_); v("seasonal", seasonal_);
    v("chosen", chosen_); v("judged", judged_); v("last", last_); v("before", before_); v("outlook", outlook_);
  }

 private:
  static constexpr std::size_t plan_count = plan_names.size();
  struct Plan {
    MaxWindow<double> kept;
    Tail tail;
    double margin = 0, cost = 0;
    template <class V> void visit(V& v) { v("kept", kept); v("tail", tail); v("margin", margin); v("cost", cost); }
  };
  struct Pending {   // what the plans said, until reality has answered
    MonoTime at;
    std::array<double, plan_count> planned{};
    template <class V> void visit(V& v) { v("at", at); v("planned", planned); }
  };
  void forget_windows();
  void settle(Now now, double load, Duration lead);
  void plan(Now now, double load, Duration lead);
  void judge(Now now);

  Duration gap_max_;
  MeanWindow recent_;
  MaxWindow<double> peaks_;
  std::deque<Pending> pending_;
  std::array<Plan, plan_count> plans_;
  Seasonal seasonal_;
  std::size_t chosen_ = 0;
  std::optional<MonoTime> judged_, last_;
  double before_ = 0;
  Outlook outlook_;
};

}  // namespace nlb::scale
