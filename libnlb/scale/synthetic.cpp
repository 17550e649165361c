#include "libnlb/scale/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "libnlb/core/rng.hpp"

namespace nlb::scale {
namespace {

constexpr double minute = 60, hour = 3600, day = 86400;

// One period given as corner points (seconds, rate), repeated until `end`.
Points repeated(const Points& corners, double period, double end) {
  Points points;
  for (double start = 0; start < end; start += period)
    for (const auto& corner : corners) points.push_back({start + corner.seconds, corner.rate});
  points.push_back({end, corners.front().rate});
  return points;
}

Points diurnal() {
  Points points;
  for (double t = 0; t <= 14 * day; t += minute) {
    const double time_of_day = std::fmod(t, day);
    const double wave = 65 - 35 * std::cos(2 * std::numbers::pi * time_of_day / day);
    const bool burst = time_of_day >= 12 * hour && time_of_day < 12 * hour + 10 * minute;
    points.push_back({t, wave * (burst ? 1.6 : 1)});
  }
  return points;
}

Points walk() {
  Rng rng(7);
  Points points;
  double level = 0;
  for (double t = 0; t <= 7 * day; t += minute) {
    level = 0.995 * level + 0.06 * (rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    points.push_back({t, 50 * std::exp(level)});
  }
  return points;
}

}  // namespace

Result<Points> synthetic_trace(std::string_view name) {
  if (name == "flat") return Points{{0, 100}, {3 * day, 100}};
  if (name == "diurnal") return diurnal();
  if (name == "step") return repeated({{0, 33}, {hour - 1, 33}, {hour, 100}, {2 * hour - 1, 100}}, 2 * hour, 3 * day);
  if (name == "spike") return repeated({{0, 20}, {hour - 1, 20}, {hour, 100}, {hour + 180, 100}, {hour + 181, 20}}, 2 * hour, 3 * day);
  if (name == "ramp") return repeated({{0, 20}, {30 * minute, 20}, {45 * minute, 100}, {75 * minute, 100}, {90 * minute, 20}}, 2 * hour, 3 * day);
  if (name == "walk") return walk();
  std::string names;
  for (const auto& row : synthetic_rows) names += " " + std::string(row.name);
  return fail(ErrorKind::not_found, "synthetic trace '" + std::string(name) + "': no such shape: use one of" + names);
}

}  // namespace nlb::scale
