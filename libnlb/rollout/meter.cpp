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

Sessions grown(const Sessions& now, const Sessions& before) {
  return {grown(now.totals, before.totals), grown(now.first_byte, before.first_byte), grown(now.session, before.session), grown(now.bytes_back, before.bytes_back)};
}

void add(Sessions& sum, const Sessions& news) {
  sum.totals += news.totals;
  add(sum.first_byte, news.first_byte);
  add(sum.session, news.session);
  add(sum.bytes_back, news.bytes_back);
}

std::uint64_t whole_of(double& rest, std::uint64_t count, double divisor) {
  rest += static_cast<double>(count) / divisor;
  const auto whole = static_cast<std::uint64_t>(rest);
  rest -= static_cast<double>(whole);
  return whole;
}

Counts thinned(double divisor, std::array<double, 4>& rest, const Counts& counts) {
  return {whole_of(rest[0], counts.canary_attempts, divisor), whole_of(rest[1], counts.stable_attempts, divisor),
          whole_of(rest[2], counts.canary_bad, divisor), whole_of(rest[3], counts.stable_bad, divisor)};
}

void book(Sample& into, const std::vector<Signal>& signals, std::string_view name, SignalCounts found) {
  const auto signal = std::find_if(signals.begin(), signals.end(), [&](const Signal& each) { return each.name == name; });
  if (signal == signals.end() || found.counts == Counts{}) return;
  found.signal = static_cast<std::size_t>(signal - signals.begin());
  into.signals.push_back(std::move(found));
}

void book_failures(Sample& into, const std::vector<Signal>& signals, const TrafficCounts& c, const TrafficCounts& s, std::vector<ReplicaCounts> failing,
                   std::vector<ReplicaCounts> connecting) {
  book(into, signals, "failures", {0, {c.attempts, s.attempts, c.failing_clients, s.failing_clients}, std::move(failing), c.failures, s.failures});
  book(into, signals, "connect", {0, {c.attempts, s.attempts, c.connect_failing_clients, s.connect_failing_clients}, std::move(connecting),
                                  c.connect_failures, s.connect_failures});
}

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
    static_cast<Sessions&>(news) = grown(static_cast<const Sessions&>(sample), last_);
    for (const auto& [name, sessions] : sample.replicas) news.replicas[name] = grown(sessions, last_.replicas[name]);
    if (sample.half && last_.half) news.half = grown(*sample.half, *last_.half);
  }
  if (!known_ || again || sample.number >= last_.number) last_ = sample;
  known_ = true;
  return news;
}

void SiteMeter::add(const std::string& version, const TrafficSample& news) {
  auto& sum = open_[version];
  rollout::add(sum, static_cast<const Sessions&>(news));
  for (const auto& [name, sessions] : news.replicas) rollout::add(sum.replicas[name], sessions);
  if (!news.half) return;
  if (!sum.half) sum.half.emplace();
  rollout::add(*sum.half, *news.half);
  rollout::add(sum.halved, static_cast<const Sessions&>(news));
}

// Pearson's statistic of a second of stable; its mean over seconds is 1 for independent sessions.
void SiteMeter::learn_dispersion(Shape& shape, const Counts& counts) {
  shape.attempts += static_cast<double>(counts.stable_attempts);
  shape.bad += static_cast<double>(counts.stable_bad);
  const double expected = shape.attempts > 0 ? static_cast<double>(counts.stable_attempts) * shape.bad / shape.attempts : 0;
  if (expected <= 0) return;
  const double off = static_cast<double>(counts.stable_bad) - expected;
  shape.seconds = std::min(shape.seconds + 1, dispersion_memory_seconds);
  shape.dispersion += (off * off / expected - shape.dispersion) / shape.seconds;
}

double SiteMeter::divisor_of(const Shape& shape) const { return std::max({1.0, cluster_, shape.dispersion}); }

std::vector<ReplicaCounts> SiteMeter::beyond_by_replica(Shape& shape, const std::map<std::string, Sessions>& replicas) const {
  std::vector<ReplicaCounts> made;
  std::erase_if(shape.replica_rest, [&](const auto& entry) { return !replicas.contains(entry.first); });
  for (const auto& [name, sessions] : replicas) {
    if ((sessions.*shape.histogram).empty()) continue;   // its forwarder doesn't say
    const auto counts = thinned(divisor_of(shape), shape.replica_rest[name], shape.beyond.count(sessions.*shape.histogram, {}));
    made.push_back({name, counts.canary_attempts, counts.canary_bad});
  }
  return made;
}

void SiteMeter::compare_halves(std::int64_t second, const Sessions& all, const Sessions& half, const std::vector<Signal>& signals) {
  const auto other = grown(all, half);
  halves_ = {second, 0.5, {}};
  book_failures(halves_, signals, half.totals, other.totals, {}, {});
  for (auto& shape : shapes_)
    if ((half.*shape.histogram).size() == (other.*shape.histogram).size())
      book(halves_, signals, shape.name, {0, thinned(divisor_of(shape), shape.half_rest, shape.beyond.count(half.*shape.histogram, other.*shape.histogram)), {}});
}

Sample SiteMeter::sample(std::int64_t second, std::int64_t clock_second, double weight, const std::string& stable, const std::string& candidate,
                         const std::vector<Signal>& signals) {
  if (stable != stable_ || shapes_.empty()) {   // thresholds are stable's own past
    stable_ = stable;
    shapes_ = {{"first_byte_p95", &Sessions::first_byte, {0.95, Tail::above}},
               {"first_byte_p99", &Sessions::first_byte, {0.99, Tail::above}},
               {"session_too_short", &Sessions::session, {0.01, Tail::below}},
               {"session_too_long", &Sessions::session, {0.99, Tail::above}},
               {"bytes_back", &Sessions::bytes_back, {0.01, Tail::below}}};
  }
  auto s = std::move(open_[stable]), c = candidate.empty() ? Open{} : std::move(open_[candidate]);
  open_.clear();
  Sample made{second, weight, {}};
  std::vector<ReplicaCounts> failing, connecting;
  for (const auto& [name, sessions] : c.replicas) {
    failing.push_back({name, sessions.totals.attempts, sessions.totals.failing_clients});
    connecting.push_back({name, sessions.totals.attempts, sessions.totals.connect_failing_clients});
  }
  book_failures(made, signals, c.totals, s.totals, std::move(failing), std::move(connecting));
  for (auto& shape : shapes_) {
    const auto size = std::max((s.*shape.histogram).size(), (c.*shape.histogram).size());
    if (size == 0) continue;
    (s.*shape.histogram).resize(size);
    (c.*shape.histogram).resize(size);
    const auto counts = shape.beyond.book(clock_second, c.*shape.histogram, s.*shape.histogram);
    learn_dispersion(shape, counts);
    book(made, signals, shape.name, {0, thinned(divisor_of(shape), shape.rest, counts), beyond_by_replica(shape, c.replicas)});
  }
  if (s.half) compare_halves(second, s.halved, *s.half, signals);
  return made;
}

Sample& operator+=(Sample& sum, const Sample& more) {
  sum.second = std::max(sum.second, more.second);
  sum.weight = more.weight;
  for (const auto& news : more.signals) {
    const auto known = std::find_if(sum.signals.begin(), sum.signals.end(), [&](const SignalCounts& each) { return each.signal == news.signal; });
    if (known == sum.signals.end()) {
      sum.signals.push_back(news);
      continue;
    }
    known->counts += news.counts;
    known->canary_raw += news.canary_raw;
    known->stable_raw += news.stable_raw;
  }
  return sum;
}

bool belongs_to_site(std::string_view forwarder, std::string_view site) {
  if (site.empty()) return true;
  if (!forwarder.starts_with(site)) return false;
  return forwarder.size() == site.size() || std::string_view("-./").find(forwarder[site.size()]) != std::string_view::npos;
}

}  // namespace nlb::rollout
