#include "libnlb/route/pool.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "libnlb/core/hash.hpp"
#include "libnlb/route/maglev.hpp"

namespace nlb::route {
namespace {

std::int64_t ns(MonoTime t) { return t.time_since_epoch().count(); }

// Neither ejected nor tried already. A busy module is usable: it may be free a moment later.
bool usable(const Candidate& c, const PickContext& x) {
  if (!x.ignore_ejections && c.state->ejected(x.question.now)) return false;
  const auto& tried = x.question.tried;
  return tried.empty() || std::find(tried.begin(), tried.end(), c.state) == tried.end();
}

// No slot left, or the circuit breaker: too many sessions wait for it to accept.
bool busy(const Candidate& c, const PickContext& x) {
  const ModuleState& m = *c.state;
  return m.active.load(std::memory_order_relaxed) >= m.max_connections.load(std::memory_order_relaxed) ||
         m.pending.load(std::memory_order_relaxed) >= x.options.breaker_pending_max;
}

// The share of its weight that a module in slow start gets: a line from the floor to 1.
double ramp(const Candidate& c, const PickContext& x) {
  if (!c.ramped) return 1;
  const auto age = ns(x.question.now) - c.since;
  if (age >= x.options.slow_start.count()) return 1;
  return std::max(slow_start_floor, static_cast<double>(age) / static_cast<double>(x.options.slow_start.count()));
}

bool warm_enough(const Candidate& c, const PickContext& x) {
  if (!c.ramped) return true;
  const double share = ramp(c, x);
  return share >= 1 || x.question.rng.uniform() < share;
}

// Sessions that a module seems to have: recent failures in a row weigh like sessions, and fade.
double burden(const ModuleState& m, MonoTime now) {
  const double sessions = m.active.load(std::memory_order_relaxed);
  const auto failures = m.failures.load(std::memory_order_relaxed);
  if (failures == 0) return sessions;
  const double age = static_cast<double>(ns(now) - m.failed_at.load(std::memory_order_relaxed)) / static_cast<double>(failure_memory.count());
  return age >= 1 ? sessions : sessions + (sessions + 1) * std::min(failures, 8u) * (1 - std::max(age, 0.0));
}

// Peak EWMA (Finagle's balancer): expected wait behind the open sessions. A module that nobody measured yet gets one
// session to be measured by.
double expected_wait(const ModuleState& m, MonoTime now) {
  const double latency = m.latency_ns.load(std::memory_order_relaxed);
  if (latency > 0) return latency * (burden(m, now) + 1);
  return m.active.load(std::memory_order_relaxed) == 0 ? 0 : 1e12 * burden(m, now);
}

// Keeps the one with the least load for its weight. Equal ones (all idle ones are) share by `chance`: each replaces
// what was kept with its part of the chances seen so far.
class Best {
 public:
  explicit Best(const PickContext& context) : x_(context) {}
  void show(const Candidate& c, double weight, double chance) {
    const double load = x_.options.picker == Picker::latency ? expected_wait(*c.state, x_.question.now) : burden(*c.state, x_.question.now);
    const double price = load / weight;
    if (found_ && price > price_) return;
    ties_ = found_ && price == price_ ? ties_ + chance : chance;
    if (ties_ > chance && x_.question.rng.uniform() * ties_ >= chance) return;
    found_ = &c;
    price_ = price;
  }
  const Candidate* found() const { return found_; }

 private:
  const PickContext& x_;
  const Candidate* found_ = nullptr;
  double price_ = 0, ties_ = 0;
};

// Looks at everybody. Another worker may take the last slot first; then the module is full and the next look leaves it
// out.
TierResult scan(const Tier& tier, const PickContext& x) {
  TierResult result;
  for (std::size_t attempt = 0; attempt <= tier.candidates.size(); ++attempt) {
    Best best(x);
    for (const Candidate& c : tier.candidates) {
      if (!usable(c, x)) continue;
      result.any_usable = true;
      if (busy(c, x)) continue;
      const double weight = c.weight * ramp(c, x);
      best.show(c, weight, weight);
    }
    if (!best.found()) return result;
    if ((result.slot = Slot::reserve(*best.found()->state))) return result;
  }
  return result;
}

// What is drawn by weight ties evenly, a module drawn twice as often as two: weighing again would count the weights of
// idle modules twice.
TierResult sample(const Tier& tier, const PickContext& x, std::size_t size) {
  Best best(x);
  for (std::size_t i = 0; i < size; ++i) {
    const Candidate& c = tier.candidates[tier.alias.draw(x.question.rng())];
    if (usable(c, x) && !busy(c, x) && warm_enough(c, x)) best.show(c, c.weight * ramp(c, x), 1);
  }
  TierResult result;
  if (best.found()) result.slot = Slot::reserve(*best.found()->state);
  return result.slot ? std::move(result) : scan(tier, x);
}

// Pickers with an order of their own: take what `next` offers unless it can't or is still warming up; after a few
// refusals look at all.
template <class Next>
TierResult in_order(const Tier& tier, const PickContext& x, std::uint32_t offers, Next next) {
  for (std::uint32_t i = 0; i < offers; ++i) {
    const Candidate& c = tier.candidates[next(i)];
    if (!usable(c, x) || busy(c, x) || !warm_enough(c, x)) continue;
    if (auto slot = Slot::reserve(*c.state)) return {std::move(slot), true};
  }
  return scan(tier, x);
}

TierResult pick_by_turn(const Tier& tier, const PickContext& x) {
  const auto offers = static_cast<std::uint32_t>(std::min<std::size_t>(tier.candidates.size(), 64));
  return in_order(tier, x, offers, [&](std::uint32_t) {
    return tier.schedule[x.state.turn.fetch_add(1, std::memory_order_relaxed) % tier.schedule.size()];
  });
}

// The first place belongs to the key; where that module can't, the key's own sequence of further places decides, so
// that the sessions of a module that fails spread over all others, and come back to it afterwards.
TierResult pick_by_hash(const Tier& tier, const PickContext& x) {
  const auto& q = x.question;
  auto key = q.hash_key;
  if (key == 0) key = mix64(load_le64(q.client.octets, 0) * 0x9e3779b97f4a7c15 + load_le64(q.client.octets, 8));
  return in_order(tier, x, 32, [&](std::uint32_t i) {
    return tier.maglev[mix64(key + i * 0x9e3779b97f4a7c15) % maglev_places];
  });
}

// Smooth weighted round robin (nginx), played once and written down; long ratios are rounded to schedule_max turns.
std::vector<std::uint16_t> make_schedule(std::span<const Candidate> candidates) {
  std::uint64_t divisor = 0, total = 0;
  for (const auto& c : candidates) divisor = std::gcd(divisor, std::uint64_t{c.weight});
  for (const auto& c : candidates) total += c.weight / divisor;
  std::vector<std::int64_t> turns;
  for (const auto& c : candidates) {
    const auto exact = static_cast<double>(c.weight / divisor);
    const double scaled = total <= schedule_max ? exact : std::max(1.0, std::round(exact * schedule_max / static_cast<double>(total)));
    turns.push_back(static_cast<std::int64_t>(scaled));
  }
  const auto length = std::accumulate(turns.begin(), turns.end(), std::int64_t{0});
  std::vector<std::int64_t> credit(turns.size(), 0);
  std::vector<std::uint16_t> schedule;
  schedule.reserve(static_cast<std::size_t>(length));
  for (std::int64_t turn = 0; turn < length; ++turn) {
    for (std::size_t i = 0; i < turns.size(); ++i) credit[i] += turns[i];
    const auto next = static_cast<std::size_t>(std::max_element(credit.begin(), credit.end()) - credit.begin());
    credit[next] -= length;
    schedule.push_back(static_cast<std::uint16_t>(next));
  }
  return schedule;
}

std::vector<std::uint16_t> make_maglev(std::span<const Candidate> candidates) {
  std::vector<MaglevModule> modules;
  for (const auto& c : candidates) modules.push_back({c.state->identity.name, c.weight});
  return build_maglev(modules);
}

}  // namespace

AliasTable::AliasTable(std::span<const Candidate> candidates) : cells_(candidates.size()) {
  const double total = std::accumulate(candidates.begin(), candidates.end(), 0.0, [](double sum, const auto& c) { return sum + c.weight; });
  std::vector<double> share;
  std::vector<std::uint32_t> small, large;
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    uniform_ = uniform_ && candidates[i].weight == candidates[0].weight;
    share.push_back(candidates[i].weight * static_cast<double>(candidates.size()) / total);
    (share[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const auto less = small.back(), more = large.back();
    small.pop_back();
    cells_[less] = {static_cast<std::uint32_t>(share[less] * 4294967296.0), more};
    share[more] -= 1 - share[less];
    if (share[more] < 1) {
      large.pop_back();
      small.push_back(more);
    }
  }
  for (std::uint32_t i = 0; i < candidates.size(); ++i)
    if (cells_[i].keep == 0xffffffff) cells_[i].other = i;
}

void prepare(Tier& tier, Picker picker) {
  tier.alias = AliasTable(tier.candidates);
  if (picker == Picker::round_robin) tier.schedule = make_schedule(tier.candidates);
  if (picker == Picker::hash) tier.maglev = make_maglev(tier.candidates);
}

TierResult pick_in_tier(const Tier& tier, const PickContext& x) {
  if (tier.candidates.empty()) return {};
  switch (x.options.picker) {
    case Picker::least_conn:
    case Picker::latency: return tier.candidates.size() <= scan_max ? scan(tier, x) : sample(tier, x, sample_size);
    case Picker::p2c: return sample(tier, x, 2);
    case Picker::random:
      return in_order(tier, x, redraws_max, [&](std::uint32_t) { return tier.alias.draw(x.question.rng()); });
    case Picker::round_robin: return pick_by_turn(tier, x);
    case Picker::hash: return pick_by_hash(tier, x);
  }
  return {};
}

}  // namespace nlb::route
