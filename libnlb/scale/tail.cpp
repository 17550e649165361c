#include "libnlb/scale/tail.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nlb::scale {
namespace {
constexpr double tiny = 1e-9, scale_max = 1e12;
}

void Tail::add(double plan, double peak, double load, double keep) {
  scale_ /= keep;   // newer ones weigh more, instead of every old one less
  if (scale_ > scale_max) rescale();
  const double bin = std::ceil((std::log(std::max(peak, tiny) / std::max(plan, tiny)) - lowest) / width);
  bins_[static_cast<std::size_t>(std::clamp(bin, 0.0, static_cast<double>(bin_count - 1)))] += scale_;
  total_ += scale_;
  plan_ += plan * scale_;
  load_ += load * scale_;
}

void Tail::rescale() {
  for (auto& weight : bins_) weight /= scale_;
  total_ /= scale_;
  plan_ /= scale_;
  load_ /= scale_;
  scale_ = 1;
}

double Tail::mean_error() const {
  double sum = 0;
  for (std::size_t i = 0; i < bin_count; ++i) sum += bins_[i] * std::abs(std::expm1(edge(i)));
  return total_ > 0 ? sum / total_ : 0;
}

Tail::Choice Tail::cheapest(double price) const {
  Choice best{std::numeric_limits<double>::max(), 0};
  if (total_ <= 0 || load_ <= 0) return best;
  double above = 0;
  for (std::size_t i = bin_count; i-- > 0;) {
    const double cost = plan_ / load_ * std::exp(edge(i)) + price * above / total_;
    if (cost < best.cost) best = {cost, edge(i)};
    above += bins_[i];
  }
  return best;
}

}  // namespace nlb::scale
