// How often reality exceeded a plan, and by how much: a histogram of log(peak / plan) that forgets exponentially, and the margin that
// would have been cheapest. Violations have a price in shares of the ideal cost, as in the newsvendor problem: the margin z minimises
// plan/load * exp(z) + price * P(peak > plan * exp(z)).
#pragma once

#include <array>
#include <cstddef>

namespace nlb::scale {

class Tail {
 public:
  // One observation: what was planned, what the peak was, what the load was; `keep` is the weight that older ones keep. All > 0.
  void add(double plan, double peak, double load, double keep);
  struct Choice { double cost, margin; };
  Choice cheapest(double price) const;      // margin is a logarithm; {large, 0} before anything is known. O(bins)
  // The mean of |peak / plan - 1|; a plan is known to 2.5 percent, and more than 70 percent too high counts as 70. 0 before anything is known.
  double mean_error() const;
  double weight() const { return total_ / scale_; }
  template <class V> void visit(V& v) { v("bins", bins_); v("total", total_); v("scale", scale_); v("plan", plan_); v("load", load_); }

 private:
  static constexpr std::size_t bin_count = 160;
  static constexpr double lowest = -1.2, width = 0.025;   // up to 2.8: a peak of 16 times the plan
  static double edge(std::size_t bin) { return lowest + width * static_cast<double>(bin); }
  void rescale();

  std::array<double, bin_count> bins_{};   // weights times scale_; a bin holds what is at most its edge
  double total_ = 0, scale_ = 1, plan_ = 0, load_ = 0;
};

}  // namespace nlb::scale
