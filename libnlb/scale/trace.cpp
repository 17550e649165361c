#include "libnlb/scale/trace.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string>

#include "libnlb/core/rng.hpp"

namespace nlb::scale {
namespace {

constexpr double longest_seconds = 400.0 * 86400;

std::string_view trimmed(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r") - first + 1);
}

bool read_number(std::string_view text, double& value) {
  text = trimmed(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

tl::unexpected<Error> bad_line(std::size_t line, std::string_view text, std::string_view why) {
  return fail(ErrorKind::bad_input, "trace line " + std::to_string(line) + " '" + std::string(text.substr(0, 60)) + "': " + std::string(why));
}

}  // namespace

Result<Points> parse_trace(std::string_view text) {
  Points points;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    auto row = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    row = trimmed(row.substr(0, row.find('#')));
    if (row.empty()) continue;
    TracePoint point{};
    const auto comma = row.find(',');
    if (comma == std::string_view::npos || !read_number(row.substr(0, comma), point.seconds) || !read_number(row.substr(comma + 1), point.rate))
      return bad_line(line, row, "not 'seconds,rate': two numbers and a comma are expected");
    if (point.rate < 0) return bad_line(line, row, "the rate is negative");
    if (!points.empty() && point.seconds <= points.back().seconds) return bad_line(line, row, "time does not rise: sort the trace");
    points.push_back(point);
  }
  return points;
}

Result<Trace> Trace::sample(const Points& points, double capacity, double speed) {
  if (points.size() < 2) return fail(ErrorKind::bad_input, "trace: " + std::to_string(points.size()) + " points: at least two are needed");
  if (!(capacity > 0)) return fail(ErrorKind::usage, "capacity must be above zero: it is the rate that one replica carries");
  if (!(speed > 0)) return fail(ErrorKind::usage, "speed must be above zero");
  const double length = (points.back().seconds - points.front().seconds) / speed;
  if (length < 60) return fail(ErrorKind::bad_input, "trace: shorter than a minute");
  if (length > longest_seconds) return fail(ErrorKind::bad_input, "trace: longer than 400 days: cut it or use --speed");
  Trace trace;
  trace.capacity_ = capacity;
  const auto seconds = static_cast<std::size_t>(length);
  trace.demand_.reserve(seconds);
  trace.prefix_.reserve(seconds + 1);
  trace.prefix_.push_back(0);
  std::size_t right = 1;
  for (std::size_t s = 0; s < seconds; ++s) {
    const double at = points.front().seconds + static_cast<double>(s) * speed;
    while (right + 1 < points.size() && points[right].seconds <= at) ++right;
    const auto& a = points[right - 1];
    const auto& b = points[right];
    const double rate = a.rate + (b.rate - a.rate) * (at - a.seconds) / (b.seconds - a.seconds);
    trace.demand_.push_back(rate / capacity);
    trace.prefix_.push_back(trace.prefix_.back() + trace.demand_.back());
  }
  return trace;
}

Trace Trace::with_arrivals(double per_replica, std::uint64_t seed) const {
  Rng rng(seed);
  const auto normal = [&rng] {   // Box and Muller, one of the pair
    return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * std::numbers::pi * rng.uniform());
  };
  Trace noisy = *this;
  for (std::size_t s = 0; s < demand_.size(); ++s) {
    noisy.demand_[s] = std::max(0.0, demand_[s] + std::sqrt(demand_[s] / per_replica) * normal());
    noisy.prefix_[s + 1] = noisy.prefix_[s] + noisy.demand_[s];
  }
  return noisy;
}

Result<double> automatic_capacity(const Points& points, double replicas, double speed) {
  const auto raw = Trace::sample(points, 1, speed);
  if (!raw) return tl::unexpected<Error>(raw.error());
  std::vector<double> minutes;
  for (std::int64_t m = 0; m + 60 <= raw->seconds(); m += 60) minutes.push_back(raw->mean(m, m + 60));
  std::sort(minutes.begin(), minutes.end());
  // Linear interpolation between order statistics, as NumPy's percentile does.
  const double rank = 0.999 * static_cast<double>(minutes.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto above = std::min(below + 1, minutes.size() - 1);
  const double value = minutes[below] + (minutes[above] - minutes[below]) * (rank - static_cast<double>(below));
  if (!(value > 0)) return fail(ErrorKind::bad_input, "trace: no load in it: give --capacity");
  return value / replicas;
}

}  // namespace nlb::scale
