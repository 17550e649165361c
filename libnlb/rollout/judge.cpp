#include "libnlb/rollout/judge.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nlb::rollout {
namespace {

std::string format(const char* pattern, auto... values) {
  char line[400];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<std::string> hard_stop(const Health& health) {
  if (health.canary_healthy == 0u) return "no canary replica is healthy";
  if (health.connect_failures_in_row >= hard_stop_failures && health.connect_failure_clients >= hard_stop_clients && health.stable_connects)
    return format("%u connects to the canary failed in a row, from %u clients or more, while stable has no connect failure",
                  health.connect_failures_in_row, health.connect_failure_clients);
  return std::nullopt;
}

Counts without(const Counts& all, const ReplicaCounts& replica) {
  auto rest = all;
  rest.canary_attempts -= std::min(rest.canary_attempts, replica.attempts);
  rest.canary_bad -= std::min(rest.canary_bad, replica.bad);
  return rest;
}

}  // namespace

// Half of alpha watches failures as users meet them; the rest is for what only shows in the shape of sessions.
std::vector<Signal> default_signals() {
  return {{"failures", 0.5, true, 1},       {"connect", 0.1, true, 0},          {"first_byte_p95", 0.1, true, 2},
          {"first_byte_p99", 0.1, true, 2}, {"session_too_short", 0.1, true, 3}, {"session_too_long", 0.05, true, 3}, {"bytes_back", 0.05, true, 3}};
}

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::clear: return "clear";
    case Finding::suspicious: return "suspicious";
    case Finding::starving: return "waiting_for_traffic";
    case Finding::eject_replica: return "eject_replica";
    case Finding::worse: return "worse";
    case Finding::hard_stop: return "hard_stop";
  }
  return "clear";
}

Judge::Judge(JudgeOptions options) : options_(std::move(options)) {
  for (const auto& signal : options_.signals)
    tracks_.push_back({Evidence(options_.tolerated_ratio, options_.alpha * signal.alpha_part), {}, 0, 0});
}

// A replica that appears in mid rollout inherits the evidence so far: none of it was its own.
Judge::Replica& Judge::replica(Track& track, const std::string& name) {
  for (auto& known : track.replicas)
    if (known.name == name) return known;
  track.replicas.push_back({name, 0, 0, track.all});
  return track.replicas.back();
}

void Judge::book_signal(const Sample& sample, const SignalCounts& found) {
  auto& track = tracks_[found.signal];
  auto counts = found.counts;
  for (const auto& seen : found.replicas)
    if (seen.replica == ejected_ && !ejected_.empty()) counts = without(counts, seen);
  const bool by_replica = ejected_.empty() && options_.signals[found.signal].evidence_by_replica;
  if (by_replica) {
    for (const auto& seen : found.replicas)
      if (track.replicas.size() < replicas_tracked_max) replica(track, seen.replica);
    for (auto& known : track.replicas) {
      const auto seen = std::find_if(found.replicas.begin(), found.replicas.end(), [&](const auto& r) { return r.replica == known.name; });
      known.without.book(sample.second, seen == found.replicas.end() ? counts : without(counts, *seen), sample.weight);
      if (seen == found.replicas.end()) continue;
      known.attempts += seen->attempts;
      known.bad += seen->bad;
    }
  }
  track.all.book(sample.second, counts, sample.weight);
  track.canary_raw += found.canary_raw;
  track.stable_raw += found.stable_raw;
}

void Judge::book(const Sample& sample) {
  for (const auto& found : sample.signals)
    if (found.signal < tracks_.size()) book_signal(sample, found);
}

// The replica without which the evidence is weakest.
const Judge::Replica* Judge::worst(const Track& track) const {
  if (track.replicas.size() < 2) return nullptr;
  return &*std::min_element(track.replicas.begin(), track.replicas.end(),
                            [](const Replica& a, const Replica& b) { return a.without.log_e() < b.without.log_e(); });
}

std::string Judge::blame(std::size_t signal) const {
  const auto stage = [&](std::size_t i) { return options_.signals[i].stage; };
  const auto log_e = [&](std::size_t i) { return tracks_[i].all.log_e(); };
  auto cause = signal;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (stage(i) >= stage(signal) || log_e(i) < std::log(options_.suspicion)) continue;
    const bool stronger = stage(i) == stage(cause) && log_e(i) > log_e(cause);
    if (stage(i) < stage(cause) || stronger) cause = i;
  }
  return numbers(cause) + (cause == signal ? std::string() : "; it shows in " + numbers(signal));
}

Verdict Judge::alarmed(std::size_t signal) {
  auto& track = tracks_[signal];
  const auto* bad = ejected_.empty() ? worst(track) : nullptr;
  if (bad == nullptr || bad->without.log_e() > 0) return {Finding::worse, signal, {}, blame(signal)};
  Verdict verdict{Finding::eject_replica, signal, bad->name,
                  format("replica %s had %llu of the canary's %llu bad events in %llu attempts; without it the evidence is %.2g : 1",
                         bad->name.c_str(), static_cast<unsigned long long>(bad->bad), static_cast<unsigned long long>(track.all.total().canary_bad),
                         static_cast<unsigned long long>(bad->attempts), std::exp(bad->without.log_e()))};
  ejected_ = bad->name;
  for (auto& each : tracks_) {
    const auto found = std::find_if(each.replicas.begin(), each.replicas.end(), [&](const Replica& r) { return r.name == ejected_; });
    if (found != each.replicas.end()) each.all = Evidence(found->without);
    each.replicas.clear();
  }
  return verdict;
}

Verdict Judge::verdict(const Health& health) {
  if (auto why = hard_stop(health)) return {Finding::hard_stop, 0, {}, *why};
  for (std::size_t i = 0; i < tracks_.size(); ++i)
    if (tracks_[i].all.alarm()) return alarmed(i);
  for (std::size_t i = 0; i < tracks_.size(); ++i)
    if (tracks_[i].all.log_e() >= std::log(options_.suspicion)) return {Finding::suspicious, i, {}, {}};
  return {exposed() ? Finding::clear : Finding::starving, 0, {}, {}};
}

std::uint64_t Judge::exposure_wanted() const { return static_cast<std::uint64_t>(std::ceil(std::log(20) / options_.delta)); }

bool Judge::exposed() const {
  const auto& first = tracks_.front().all;
  return first.total().canary_attempts >= exposure_wanted() || first.log_e_not_twice() >= std::log(20);
}

std::size_t Judge::replicas_bad(std::size_t signal) const {
  const auto& replicas = tracks_[signal].replicas;
  return static_cast<std::size_t>(std::count_if(replicas.begin(), replicas.end(), [](const Replica& each) { return each.bad > 0; }));
}

std::string Judge::numbers(std::size_t signal) const {
  const auto& evidence = tracks_[signal].all;
  const auto& total = evidence.total();
  using ull = unsigned long long;
  const auto& track = tracks_[signal];
  const auto raw = track.canary_raw + track.stable_raw == 0 ? std::string()
                                                            : format(" (all failures: %llu and %llu)", static_cast<ull>(track.canary_raw), static_cast<ull>(track.stable_raw));
  return format("%s: canary %llu bad of %llu (%.3g %%), stable %llu of %llu (%.3g %%), evidence %.3g : 1 of %.3g : 1, tolerated ratio %.3g",
                options_.signals[signal].name.c_str(), static_cast<ull>(total.canary_bad), static_cast<ull>(total.canary_attempts),
                percent(total.canary_bad, total.canary_attempts), static_cast<ull>(total.stable_bad), static_cast<ull>(total.stable_attempts),
                percent(total.stable_bad, total.stable_attempts), std::exp(evidence.log_e()), std::exp(evidence.log_alarm()),
                evidence.tolerated_ratio()) + raw;
}

std::vector<std::string> Judge::explain() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < tracks_.size(); ++i) lines.push_back(numbers(i));
  const auto& first = tracks_.front().all;
  lines.push_back(format("exposure: %llu canary attempts of %llu wanted, evidence of \"not twice as bad\" %.3g : 1 of 20 : 1",
                         static_cast<unsigned long long>(first.total().canary_attempts), static_cast<unsigned long long>(exposure_wanted()),
                         std::exp(first.log_e_not_twice())));
  if (!ejected_.empty()) lines.push_back("replica " + ejected_ + " was ejected; its events no longer count");
  if (const auto fast = speed(5); fast && std::isfinite(fast->seconds))
    lines.push_back(format("a canary five times as bad would take about %.0f bad events, %.0f s at the present rate", fast->events, fast->seconds));
  return lines;
}

std::optional<Judge::Speed> Judge::speed(double ratio) const {
  const auto& first = tracks_.front().all;
  const double share = first.share(), attempts = first.attempts_per_second(), base = first.base_rate();
  if (share <= 0 || share >= 1 || attempts <= 0) return std::nullopt;
  const double events = events_to_detect(share, ratio, options_.tolerated_ratio, std::exp(-first.log_alarm()));
  const double per_second = attempts * base * (1 - share + share * ratio);
  return Speed{events, per_second > 0 ? events / per_second : INFINITY};
}

void Judge::tolerate(double ratio) {
  options_.tolerated_ratio = ratio;
  for (auto& track : tracks_) {
    track.all.tolerate(ratio);
    for (auto& each : track.replicas) each.without.tolerate(ratio);
  }
}

Judge::Saved Judge::save() const {
  Saved saved{{}, ejected_};
  for (const auto& track : tracks_) {
    SavedTrack made{track.all.save(), {}, track.canary_raw, track.stable_raw};
    for (const auto& each : track.replicas) made.replicas.push_back({each.name, each.attempts, each.bad, each.without.save()});
    saved.tracks.push_back(std::move(made));
  }
  return saved;
}

void Judge::restore(const Saved& saved) {
  ejected_ = saved.ejected;
  for (std::size_t i = 0; i < std::min(tracks_.size(), saved.tracks.size()); ++i) {
    tracks_[i] = {Evidence::restore(saved.tracks[i].all), {}, saved.tracks[i].canary_raw, saved.tracks[i].stable_raw};
    for (const auto& each : saved.tracks[i].replicas)
      tracks_[i].replicas.push_back({each.replica, each.attempts, each.bad, Evidence::restore(each.without)});
  }
  if (!saved.tracks.empty()) options_.tolerated_ratio = saved.tracks.front().all.tolerated_ratio;
}

}  // namespace nlb::rollout
