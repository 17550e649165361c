#include "libnlb/scale/predictive.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {
namespace {

constexpr double worth_removing = 0.88;   // of what is there: fewer than this may go at once
constexpr int rest = 3, calm = 6;         // cool-downs
constexpr double room = 1.05;             // what stays carries a rise of 5 percent: nobody goes to be called back at once
constexpr double rounding = 1e-9;         // 27.000000000001 replicas are 27
constexpr double replicas_max = 1e9;

std::uint32_t whole(double replicas) {
  return static_cast<std::uint32_t>(std::clamp(std::ceil(replicas - rounding), 0.0, replicas_max));
}

std::array<Forecast, metric_kinds> fresh(const Forecast& one) { return {one, one, one, one}; }

}  // namespace

Predictive::Predictive(Limits limits, PredictiveSettings settings, Duration interval)
    : limits_(limits), settings_(settings), interval_(interval),
      forecasts_(fresh(Forecast(interval, settings.down_cooldown))), calm_(calm * settings.down_cooldown) {}

Decision Predictive::decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup) {
  auto d = begin(now, inputs);
  note_metrics(d, readings, target);
  const auto need = need_of(now, readings, target, startup);
  if (need.known) {
    d.say(Rule::reactive, whole(need.reactive), need.reactive);
    d.say(Rule::forecast, whole(need.planned), need.planned);
    d.say(Rule::margin, whole(need.needed), need.needed);
    settle(d, need);
  }
  if (d.missing != 0 && d.wanted < d.current) d.say(Rule::missing, d.current, need.needed);
  apply_limits(d, limits_);
  return d;
}

bool Predictive::sound() const {
  return std::all_of(forecasts_.begin(), forecasts_.end(), [](const Forecast& forecast) { return forecast.sound(); });
}

// Each metric's outlook in replicas; a reading that is not new leaves its outlook as it was.
Predictive::Need Predictive::need_of(Now now, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup) {
  Need need;
  for (std::size_t k = 0; k < metric_kinds; ++k) {
    if (!readings[k]) continue;
    if (readings[k]->is_new) forecasts_[k].tick(now, readings[k]->total, startup + 2 * interval_);
    const auto& outlook = forecasts_[k].outlook();
    need.known = true;
    need.reactive = std::max(need.reactive, outlook.now / target[k]);
    need.planned = std::max(need.planned, outlook.planned / target[k]);
    need.needed = std::max(need.needed, outlook.needed / target[k]);
  }
  return need;
}

void Predictive::settle(Decision& d, const Need& need) {
  const auto want = whole(need.needed), enough = whole(need.needed * room);
  calm_.add(d.at, enough);
  if (want > d.current) raised_ = d.at;
  if (want >= d.current) return;
  if (raised_ && d.at - *raised_ <= rest * settings_.down_cooldown) return d.say(Rule::calm, d.current, need.needed);
  const auto stays = enough < worth_removing * d.current ? enough : std::min(*calm_.best(), d.current);
  if (stays != want) d.say(Rule::calm, stays, need.needed * room);
}

}  // namespace nlb::scale
