#include "libnlb/rollout/meter.hpp"

#include <algorithm>

namespace nlb::rollout {
namespace {

std::uint64_t grown(std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; }

TrafficCounts grown(const TrafficCounts& now, const TrafficCounts& before) {
  return {grown(now.attempts, before.attempts), grown(now.failures, before.failures), grown(now.failing_clients, before.failing_clients),
          grown(now.connect_failures, before.connect_failures), grown(now.connect_failing_clients, before.connect_failing_clients)};
}

std::vector<std::uint64_t> grown(const std::vector<std::uint64_t>& now, const std::vector<std::uint64_t>& before) {
  if (before.size() != now.size()) return now;
  std::vector<std::uint64_t> news(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) news[i] = grown(now[i], before[i]);
  return news;
}

void add(std::vector<std::uint64_t>& sum, const std::vector<std::uint64_t>& news) {
  if (sum.empty()) sum.resize(news.size());
  if (sum.size() != news.size()) return;   // another program version's buckets: they can't be compared
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += news[i];
}

std::uint64_t whole_of(double& rest, std::uint64_t count, double divisor) {
  rest += static_cast<double>(count) / divisor;
  const auto whole = static_cast<std::uint64_t>(rest);
  rest -= static_cast<double>(whole);
  return whole;
}

// At most one bad event per attempt: outcomes may be counted in a later second than their attempts.
std::uint64_t bounded(std::uint64_t bad, std::uint64_t attempts) { return std::min(bad, attempts); }

}  // namespace

TrafficCounts& TrafficCounts::operator+=(const TrafficCounts& other) {
  attempts += other.attempts;
  failures += other.failures;
  failing_clients += other.failing_clients;
  connect_failures += other.connect_failures;
  connect_failing_clients += other.connect_failing_clients;
  return *this;
}

TrafficSample TrafficReader::take(const TrafficSample& sample) {
  TrafficSample news;
  const bool again = known_ && sample.started != last_.started;
  if (again) last_ = TrafficSample{};
  if (known_ && (again || sample.number > last_.number)) {
    news.started = sample.started;
    news.number = sample.number;
    news.totals = grown(sample.totals, last_.totals);
    for (const auto& [name, counts] : sample.replicas) news.replicas[name] = grown(counts, last_.replicas[name]);
    news.first_byte = grown(sample.first_byte, last_.first_byte);
    news.session = grown(sample.session, last_.session);
    news.bytes_back = grown(sample.bytes_back, last_.bytes_back);
    news.half = grown(sample.half, last_.half);
    news.has_half = sample.has_half;
  }
  if (!known_ || again || sample.number >= last_.number) last_ = sample;
  known_ = true;
  return news;
}

void SiteMeter::add(const std::string& version, const TrafficSample& news) {
  auto& sum = open_[version];
  sum.totals += news.totals;
  for (const auto& [name, counts] : news.replicas) sum.replicas[name] += counts;
  rollout::add(sum.first_byte, news.first_byte);
  rollout::add(sum.session, news.session);
  rollout::add(sum.bytes_back, news.bytes_back);
  sum.half += news.half;
  sum.has_half = sum.has_half || news.has_half;
}

Counts SiteMeter::declustered(Shape& shape, const Counts& counts) {
  shape.attempts += static_cast<double>(counts.stable_attempts);
  shape.bad += static_cast<double>(counts.stable_bad);
  const double expected = shape.attempts > 0 ? static_cast<double>(counts.stable_attempts) * shape.bad / shape.attempts : 0;
  if (expected > 0) {   // Pearson's statistic of this second; its mean over seconds is 1 for independent sessions
    const double off = static_cast<double>(counts.stable_bad) - expected;
    shape.seconds = std::min(shape.seconds + 1, dispersion_memory_seconds);
    shape.dispersion += (off * off / expected - shape.dispersion) / shape.seconds;
  }
  const double divisor = std::max({1.0, cluster_, shape.dispersion});
  auto& rest = shape.rest;
  return {whole_of(rest[0], counts.canary_attempts, divisor), whole_of(rest[1], counts.stable_attempts, divisor),
          whole_of(rest[2], counts.canary_bad, divisor), whole_of(rest[3], counts.stable_bad, divisor)};
}

Sample SiteMeter::sample(std::int64_t second, std::int64_t clock_second, double weight, const std::string& stable, const std::string& candidate,
                         const std::vector<Signal>& signals) {
  if (stable != stable_ || shapes_.empty()) {   // thresholds are stable's own past
    stable_ = stable;
    shapes_ = {{"first_byte_p95", &TrafficSample::first_byte, {0.95, Tail::above}},
               {"first_byte_p99", &TrafficSample::first_byte, {0.99, Tail::above}},
               {"session_too_short", &TrafficSample::session, {0.01, Tail::below}},
               {"session_too_long", &TrafficSample::session, {0.99, Tail::above}},
               {"bytes_back", &TrafficSample::bytes_back, {0.01, Tail::below}}};
  }
  auto s = std::move(open_[stable]), c = candidate.empty() ? TrafficSample{} : std::move(open_[candidate]);
  open_.clear();
  if (s.has_half) {
    halves_ += {s.half.attempts, grown(s.totals.attempts, s.half.attempts), bounded(s.half.failing_clients, s.half.attempts),
                bounded(grown(s.totals.failing_clients, s.half.failing_clients), grown(s.totals.attempts, s.half.attempts))};
  }
  Sample made{second, weight, {}};
  const auto book = [&](std::string_view name, const Counts& counts, std::vector<ReplicaCounts> replicas) {
    const auto found = std::find_if(signals.begin(), signals.end(), [&](const Signal& signal) { return signal.name == name; });
    if (found == signals.end() || counts == Counts{}) return;
    made.signals.push_back({static_cast<std::size_t>(found - signals.begin()), counts, std::move(replicas)});
  };
  std::vector<ReplicaCounts> failing, connecting;
  for (const auto& [name, counts] : c.replicas) {
    failing.push_back({name, counts.attempts, counts.failing_clients});
    connecting.push_back({name, counts.attempts, counts.connect_failing_clients});
  }
  book("failures", {c.totals.attempts, s.totals.attempts, c.totals.failing_clients, s.totals.failing_clients}, std::move(failing));
  book("connect", {c.totals.attempts, s.totals.attempts, c.totals.connect_failing_clients, s.totals.connect_failing_clients}, std::move(connecting));
  for (auto& shape : shapes_) {
    const auto size = std::max((s.*shape.histogram).size(), (c.*shape.histogram).size());
    if (size == 0) continue;
    (s.*shape.histogram).resize(size);
    (c.*shape.histogram).resize(size);
    book(shape.name, declustered(shape, shape.beyond.book(clock_second, c.*shape.histogram, s.*shape.histogram)), {});
  }
  return made;
}

bool belongs_to_site(std::string_view forwarder, std::string_view site) {
  if (site.empty()) return true;
  if (!forwarder.starts_with(site)) return false;
  return forwarder.size() == site.size() || std::string_view("-./").find(forwarder[site.size()]) != std::string_view::npos;
}

}  // namespace nlb::rollout
