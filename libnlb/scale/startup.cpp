#include "libnlb/scale/startup.hpp"

#include <algorithm>

namespace nlb::scale {
namespace {
constexpr std::size_t samples_max = 32, samples_needed = 3;
constexpr Duration longest = 1h;
}  // namespace

void StartupDelay::observed(Duration took) {
  if (took < Duration{}) return;   // registered before it was ordered: somebody else's
  if (samples_.size() == samples_max) samples_.erase(samples_.begin());
  samples_.push_back(std::min(took, longest));
}

Duration StartupDelay::estimate() const {
  if (samples_.size() < samples_needed) return assumed_;
  auto sorted = samples_;
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) * 9 / 10);
  std::nth_element(sorted.begin(), nth, sorted.end());
  return *nth;
}

}  // namespace nlb::scale
