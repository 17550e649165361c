#include "libnlb/scale/forecast.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {
namespace {

// What a violation all the time would cost, in ideal pools. Margins are finer than plans: the target lowers or lifts every margin
// with it, but no target makes up for a plan that misses what another one sees.
constexpr double margin_price = 30;
constexpr double plan_price = 100;
constexpr double memory_seconds = 86400;    // weight of an observation falls to 1/e in a day
constexpr double first_margin = 0.1;        // until enough is known
constexpr double enough_weight = 100;
constexpr double better_by = 0.97;
constexpr Duration judge_every = 10min, trend_max = 120s;
constexpr std::size_t pending_max = 4096;
constexpr std::array<int, 3> kept_for = {1, 3, 3};   // cool-downs

}  // namespace

Forecast::Forecast(Duration interval, Duration cooldown) : gap_max_(std::max<Duration>(1min, 3 * interval)), recent_(180s), peaks_(1h + 1min) {
  for (std::size_t i = 0; i < plan_count; ++i) {
    plans_[i].kept = MaxWindow<double>(kept_for[i] * cooldown);
    plans_[i].margin = first_margin;
  }
}

Outlook Forecast::tick(Now now, double load, Duration lead) {
  lead = std::min<Duration>(lead, 1h);
  if (last_ && now.mono - *last_ > gap_max_) forget_windows();
  recent_.add(now.mono, load);
  peaks_.add(now.mono, load);
  seasonal_.add(now.wall, load);
  settle(now, load, lead);
  plan(now, load, lead);
  if (!judged_ || now.mono - *judged_ >= judge_every) judge(now);
  last_ = now.mono;
  before_ = load;
  outlook_.plan = chosen_;
  outlook_.planned = *plans_[chosen_].kept.best();
  outlook_.needed = std::max(outlook_.now, outlook_.planned * std::exp(plans_[chosen_].margin));
  return outlook_;
}

Band Forecast::ahead() const {
  return {std::min(outlook_.planned, outlook_.needed), outlook_.now, outlook_.needed};
}

Band Forecast::usual(double peak) const { return {peak, peak, peak * std::max(1.0, 1 + margin())}; }

double Forecast::margin() const { return std::expm1(plans_[chosen_].margin); }

void Forecast::forget_windows() {
  recent_.clear();
  peaks_.clear();
  pending_.clear();
  before_ = 0;
}

// Reality has answered the plans that are as old as the lead time.
void Forecast::settle(Now now, double load, Duration lead) {
  const double seconds = last_ ? to_seconds(now.mono - *last_) : 0;
  const double keep = std::exp(-seconds / memory_seconds);
  while (!pending_.empty() && (now.mono - pending_.front().at >= lead || pending_.size() >= pending_max)) {
    const double peak = peaks_.best_of(now.mono, lead).value_or(load);
    for (std::size_t i = 0; i < plan_count; ++i) plans_[i].tail.add(pending_.front().planned[i], peak, load, keep);
    pending_.pop_front();
  }
}

void Forecast::plan(Now now, double load, Duration lead) {
  const double minute = recent_.mean(now.mono, 60s).value_or(load);
  const double minute_before = recent_.mean(now.mono, 120s, 60s).value_or(minute);
  const double quarter = recent_.mean(now.mono, 15s).value_or(load);
  outlook_.now = std::max({quarter, minute, std::min(load, before_)});   // a jump counts when two ticks show it
  const double rise = std::max(0.0, minute - minute_before) / 60 * to_seconds(std::min(lead, trend_max));
  const double usual = seasonal_.peak(now.wall, lead + 5s).value_or(0);
  const std::array<double, plan_count> wanted = {outlook_.now + rise, std::max(outlook_.now + rise, usual), std::max(outlook_.now, usual)};
  pending_.push_back({now.mono, {}});
  for (std::size_t i = 0; i < plan_count; ++i) {
    plans_[i].kept.add(now.mono, wanted[i]);
    pending_.back().planned[i] = *plans_[i].kept.best();
  }
}

void Forecast::judge(Now now) {
  judged_ = now.mono;
  if (plans_[0].tail.weight() < enough_weight) return;
  std::size_t best = 0;
  for (std::size_t i = 0; i < plan_count; ++i) {
    plans_[i].margin = plans_[i].tail.cheapest(margin_price).margin;
    plans_[i].cost = plans_[i].tail.cheapest(plan_price).cost;
    if (plans_[i].cost < plans_[best].cost) best = i;
  }
  if (plans_[best].cost < better_by * plans_[chosen_].cost) chosen_ = best;
}

}  // namespace nlb::scale
