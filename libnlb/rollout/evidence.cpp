#include "libnlb/rollout/evidence.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::rollout {
namespace {

constexpr double mirror_ratio = 2;      // the pass: "canary is twice as bad" against "the canary is like stable"
constexpr std::size_t boost_events_max = 64;   // a second with more bad events is bet on without the boost
constexpr double base_memory = 60;      // seconds that stable's rate is averaged over
constexpr double prior_attempts = 10;   // canary attempts that the wanted weight is worth until the measured share outweighs it

// log((r0*s + 1 - s) / (r1*s + 1 - s)): what every bad event of stable's pays, and the canary's on top of log(r1/r0).
double log_denominators(double share, double null_ratio, double bet_ratio) {
  return std::log((null_ratio * share + 1 - share) / (bet_ratio * share + 1 - share));
}

double log_sum_exp(const std::vector<double>& terms) {
  const double top = *std::max_element(terms.begin(), terms.end());
  double sum = 0;
  for (double term : terms) sum += std::exp(term - top);
  return top + std::log(sum);
}

// log of C(n_c, k) * C(n_b, bad - k) for every possible k, up to a constant, by the ratio of neighbours.
std::vector<double> log_tables(const Counts& counts, std::uint64_t& k_min) {
  const auto bad = counts.canary_bad + counts.stable_bad;
  k_min = bad > counts.stable_attempts ? bad - counts.stable_attempts : 0;
  const auto k_max = std::min(bad, counts.canary_attempts);
  std::vector<double> logs = {0.0};
  for (auto k = k_min; k < k_max; ++k) {
    const double up = static_cast<double>(counts.canary_attempts - k) * static_cast<double>(bad - k);
    const double down = static_cast<double>(k + 1) * static_cast<double>(counts.stable_attempts - bad + k + 1);
    logs.push_back(logs.back() + std::log(up / down));
  }
  return logs;
}

double log_table_sum(const std::vector<double>& tables, std::uint64_t k_min, double log_odds) {
  std::vector<double> terms(tables.size());
  for (std::size_t i = 0; i < terms.size(); ++i) terms[i] = tables[i] + static_cast<double>(k_min + i) * log_odds;
  return log_sum_exp(terms);
}

double to_odds_ratio(double risk_ratio, double base) {
  const double worse = std::min(risk_ratio * base, 0.99);
  return std::max(risk_ratio, worse / (1 - worse) * (1 - base) / base);
}

Counts sane(Counts counts) {   // a forwarder that reports more bad events than attempts is believed on the bad events
  counts.canary_attempts = std::max(counts.canary_attempts, counts.canary_bad);
  counts.stable_attempts = std::max(counts.stable_attempts, counts.stable_bad);
  return counts;
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  canary_attempts += other.canary_attempts;
  stable_attempts += other.stable_attempts;
  canary_bad += other.canary_bad;
  stable_bad += other.stable_bad;
  return *this;
}

LogBets rare_event_bets(const Counts& counts, double share, double tolerated_ratio) {
  static const LogBets logs = [] {
    LogBets made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = std::log(alternatives[i]);
    return made;
  }();
  const auto canary = static_cast<double>(counts.canary_bad), all = canary + static_cast<double>(counts.stable_bad);
  LogBets bets{};
  for (std::size_t i = 0; i < bets.size(); ++i)
    bets[i] = canary * logs[i] + all * log_denominators(share, tolerated_ratio, tolerated_ratio * alternatives[i]);
  return bets;
}

LogBets bernoulli_bets(const Counts& found, double base, double tolerated_ratio) {
  const auto counts = sane(found);
  std::uint64_t k_min = 0;
  const auto tables = log_tables(counts, k_min);
  const double log_null = std::log(to_odds_ratio(tolerated_ratio, base));
  const double null_sum = log_table_sum(tables, k_min, log_null);
  LogBets bets{};
  for (std::size_t i = 0; i < bets.size(); ++i) {
    const double log_rho = std::log(alternatives[i]);
    bets[i] = static_cast<double>(counts.canary_bad) * log_rho + null_sum - log_table_sum(tables, k_min, log_null + log_rho);
  }
  return bets;
}

double log_mean(const LogBets& bets) {
  const double top = *std::max_element(bets.begin(), bets.end());
  double sum = 0;
  for (std::size_t i = 0; i < bets.size(); ++i) sum += priors[i] * std::exp(bets[i] - top);
  return top + std::log(sum);
}

Evidence::Evidence(double tolerated_ratio, double alpha) : tolerated_ratio_(tolerated_ratio), log_alarm_(-std::log(alpha)) {}

Evidence::Second& Evidence::open(std::int64_t second, double weight) {
  const auto oldest = std::max<std::int64_t>(0, newest_ - static_cast<std::int64_t>(seconds_open) + 1);
  second = std::max(second, oldest);
  if (weight != window_weight_ && second >= newest_) {   // a new weight has a new share
    window_canary_ = window_all_ = 0;
    window_weight_ = weight;
    ++window_;
    window_from_ = second;
  }
  auto& slot = seconds_[static_cast<std::size_t>(second) % seconds_open];
  if (slot.at == second) return slot;
  if (slot.at >= 0 && slot.window == window_) {
    window_canary_ -= std::min(window_canary_, slot.counts.canary_attempts);
    window_all_ -= std::min(window_all_, slot.counts.canary_attempts + slot.counts.stable_attempts);
  }
  slot = Second{};
  slot.at = second;
  slot.window = weight == window_weight_ ? window_ : 0;
  slot.base = base_;
  newest_ = std::max(newest_, second);
  return slot;
}

double Evidence::share() const {
  const double pretended = window_weight_ > 0 ? prior_attempts / window_weight_ : 0;
  const double all = pretended + static_cast<double>(window_all_);
  return all > 0 ? (pretended * window_weight_ + static_cast<double>(window_canary_)) / all : 0;
}

double Evidence::attempts_per_second() const {
  const auto seconds = std::min(newest_ - window_from_ + 1, static_cast<std::int64_t>(seconds_open));
  return newest_ < 0 ? 0 : static_cast<double>(window_all_) / static_cast<double>(seconds);
}

double Evidence::share_for(const Second& second) const {
  const auto canary = static_cast<double>(second.counts.canary_attempts);
  const auto all = canary + static_cast<double>(second.counts.stable_attempts);
  const double usual = share(), expected = usual * all;
  const bool fits = second.window == window_ && std::abs(canary - expected) <= 4 * std::sqrt(expected) + 3;
  return fits || all == 0 ? usual : canary / all;
}

// The factor that a bet on `bad` events may grow by because its outcomes are truncated at the alarm: the largest b with
// sum over k of P0(k canary failures) * min(b * E_k, alarm) <= E, found by truncating one more outcome at a time.
double Evidence::boost_for(std::uint64_t bad, double share) const {
  if (bad > boost_events_max || log_e_ >= log_alarm_) return 0;
  std::array<double, boost_events_max + 1> capital{}, chance{};   // both relative to the alarm and to certainty
  const double q0 = tolerated_ratio_ * share / (tolerated_ratio_ * share + 1 - share);
  for (std::size_t i = 0; i < bets_.size(); ++i) {
    const double stable_pays = log_denominators(share, tolerated_ratio_, tolerated_ratio_ * alternatives[i]);
    double now = priors[i] * std::exp(bets_[i] + log_boost_ - log_alarm_ + static_cast<double>(bad) * stable_pays);
    for (std::uint64_t k = 0; k <= bad; ++k, now *= alternatives[i]) capital[k] += now;
  }
  if (capital[bad] <= 1) return 0;
  double kept = 0;   // the capital expected from outcomes that aren't truncated
  chance[0] = std::pow(1 - q0, static_cast<double>(bad));
  for (std::uint64_t k = 0; k <= bad; ++k) {
    if (k > 0) chance[k] = chance[k - 1] * q0 / (1 - q0) * static_cast<double>(bad - k + 1) / static_cast<double>(k);
    kept += chance[k] * capital[k];
  }
  double left = std::exp(log_e_ - log_alarm_), boost = 1;
  for (auto k = bad; k > 0 && boost * capital[k] > 1; --k) {
    left -= chance[k];
    kept -= chance[k] * capital[k];
    if (left <= 0 || kept <= 0) break;
    boost = std::max(boost, left / kept);
  }
  return std::log(boost);
}

void Evidence::bet(const Counts& found, Second& second) {
  const double share = share_for(second);
  if (share <= 0 || share >= 1) return;
  const auto bad = found.canary_bad + found.stable_bad;
  LogBets bets{};
  double boost = 0;
  if (second.base > bernoulli_above) {
    auto before = second.counts;
    before.canary_bad -= found.canary_bad;
    before.stable_bad -= found.stable_bad;
    const auto old = bernoulli_bets(before, second.base, tolerated_ratio_);
    bets = bernoulli_bets(second.counts, second.base, tolerated_ratio_);
    for (std::size_t i = 0; i < bets.size(); ++i) bets[i] -= old[i];
  } else {
    bets = rare_event_bets(found, share, tolerated_ratio_);
    boost = boost_for(bad, share);
  }
  for (std::size_t i = 0; i < bets.size(); ++i) bets_[i] += bets[i];
  log_boost_ += boost;
  log_mirror_ += static_cast<double>(bad) * log_denominators(share, mirror_ratio, 1) -
                 static_cast<double>(found.canary_bad) * std::log(mirror_ratio);
  log_e_ = log_mean(bets_) + log_boost_;
}

void Evidence::book(std::int64_t at, const Counts& found, double weight) {
  auto& second = open(std::max<std::int64_t>(0, at), weight);
  second.counts += found;
  total_ += found;
  if (second.window == window_) {
    window_canary_ += found.canary_attempts;
    window_all_ += found.canary_attempts + found.stable_attempts;
  }
  if (found.canary_bad + found.stable_bad > 0) bet(found, second);
  if (found.stable_attempts == 0) return;
  const auto attempts = static_cast<double>(found.stable_attempts);
  base_attempts_ = std::min(base_attempts_, base_memory * attempts) + attempts;
  base_ += (static_cast<double>(found.stable_bad) - base_ * attempts) / base_attempts_;
}

Evidence::Saved Evidence::save() const {
  return {bets_, log_boost_, log_mirror_, tolerated_ratio_, std::exp(-log_alarm_), base_, total_};
}

Evidence Evidence::restore(const Saved& saved) {
  Evidence made(saved.tolerated_ratio, saved.alpha);
  made.bets_ = saved.bets;
  made.log_boost_ = saved.boost;
  made.log_mirror_ = saved.mirror;
  made.base_ = saved.base;
  made.total_ = saved.total;
  made.log_e_ = log_mean(made.bets_) + made.log_boost_;
  return made;
}

double events_to_detect(double share, double ratio, double tolerated_ratio, double alpha) {
  const double q0 = tolerated_ratio * share / (tolerated_ratio * share + 1 - share);
  const double q1 = ratio * share / (ratio * share + 1 - share);
  const double divergence = q1 * std::log(q1 / q0) + (1 - q1) * std::log((1 - q1) / (1 - q0));
  return std::log(static_cast<double>(alternative_count) / alpha) / divergence;
}

}  // namespace nlb::rollout
