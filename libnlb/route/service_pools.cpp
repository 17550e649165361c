#include "libnlb/route/service_pools.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "libnlb/core/sticky.hpp"

namespace nlb::route {

Result<> ServicePools::set_split(const Split& split) {
  const auto total = std::accumulate(split.versions.begin(), split.versions.end(), std::uint64_t{0},
                                     [](std::uint64_t sum, const VersionWeight& v) { return sum + v.weight; });
  if (total == 0) return fail(ErrorKind::config, "the split of service '" + split.service + "' is ignored: no version has a weight");
  split_ = split;
  has_split_ = true;
  return {};
}

// Tiers in order: backups behind all others, then by priority, then the own zone first.
Pool ServicePools::make_pool(const std::string* version, const ServiceOptions& options) const {
  const auto rank = [](const PoolMember& m) { return std::tuple(m.backup, m.priority, m.other_zone); };
  std::vector<const PoolMember*> chosen;
  for (const auto& m : members_)
    if (m.routable && (!version || m.version == *version)) chosen.push_back(&m);
  std::stable_sort(chosen.begin(), chosen.end(), [&](auto* a, auto* b) { return rank(*a) < rank(*b); });
  Pool pool;
  pool.version = version ? *version : "";
  pool.modules = chosen.size();
  const PoolMember* before = nullptr;
  for (const PoolMember* m : chosen) {
    if (!before || rank(*m) != rank(*before)) pool.tiers.emplace_back().backup = m->backup;
    const bool ramped = m->state->ramped && options.slow_start > Duration::zero();
    pool.tiers.back().candidates.push_back({m->state, m->weight, ramped, m->state->since.time_since_epoch().count()});
    before = m;
  }
  for (Tier& tier : pool.tiers) prepare(tier, options.picker);
  return pool;
}

void ServicePools::finish(const ServiceOptions& options) {
  for (const auto& m : members_) routable_ += m.routable, draining_ += m.draining;
  if (!has_split_) {
    pools_.push_back(make_pool(nullptr, options));
    shares_.push_back({sticky_buckets, 0, {}});
    return;
  }
  std::uint64_t total = 0, sum = 0;
  for (const auto& v : split_.versions) total += v.weight;
  for (const auto& v : split_.versions) pools_.push_back(make_pool(&v.version, options));
  // A version that the split doesn't know gets nothing but what falls back.
  std::vector<std::string> named;
  for (const auto& v : split_.versions) named.push_back(v.version);
  for (const auto& m : members_)
    if (std::find(named.begin(), named.end(), m.version) == named.end()) {
      named.push_back(m.version);
      pools_.push_back(make_pool(&m.version, options));
    }
  const auto weight = [&](std::uint32_t i) { return i < split_.versions.size() ? split_.versions[i].weight : 0; };
  std::vector<std::uint32_t> order(pools_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return weight(a) > weight(b); });
  for (std::uint32_t i = 0; i < split_.versions.size(); ++i) {
    sum += split_.versions[i].weight;
    Share share{static_cast<std::uint32_t>((sum * sticky_buckets + total / 2) / total), i, {}};
    if (options.fallback_versions) std::copy_if(order.begin(), order.end(), std::back_inserter(share.others), [&](auto o) { return o != i; });
    shares_.push_back(std::move(share));
  }
}

const ServicePools::Share& ServicePools::share_of(const Service& service, const PickQuestion& q) const {
  if (shares_.size() == 1) return shares_[0];
  const bool together = split_.sticky == SplitSticky::client;
  const auto bucket = together ? sticky_bucket(split_.salt, q.client, service.name) : static_cast<std::uint32_t>(q.rng.below(sticky_buckets));
  if (together) service.state->clients.see(bucket);
  for (const Share& share : shares_)
    if (bucket < share.end) return share;
  return shares_.back();
}

// Envoy's panic threshold: with more than half ejected, the trouble is likely not the modules', and the rest couldn't
// carry the load.
bool ServicePools::in_panic(const Service& service, MonoTime now) const {
  if (service.state->ejections_until.load(std::memory_order_relaxed) <= now.time_since_epoch().count()) return false;
  const auto ejected = std::count_if(members_.begin(), members_.end(), [&](const PoolMember& m) { return m.routable && m.state->ejected(now); });
  return static_cast<std::size_t>(ejected) * 2 > routable_;
}

PickFailure ServicePools::why_none(bool any_usable) const {
  if (members_.empty()) return PickFailure::no_module;
  if (any_usable) return PickFailure::all_full;
  return draining_ == members_.size() ? PickFailure::all_draining : PickFailure::none_healthy;
}

PickResult ServicePools::pick(const Service& service, const PickQuestion& question) const {
  PickResult result;
  result.why.picker = service.options.picker;
  result.why.split = has_split_;
  PickContext context{service.options, *service.state, question, in_panic(service, question.now)};
  bool any_usable = false;
  const auto try_pool = [&](const Pool& pool) {
    for (std::size_t t = 0; t < pool.tiers.size(); ++t) {
      if (pool.tiers[t].backup && any_usable) break;
      auto tried = pick_in_tier(pool.tiers[t], context);
      any_usable = any_usable || tried.any_usable;
      if (!tried.slot) continue;
      result.slot = std::move(tried.slot);
      result.why.tier = static_cast<std::uint8_t>(std::min<std::size_t>(t, 255));
      return true;
    }
    return false;
  };
  const auto found = [&] {
    const Share& share = share_of(service, question);
    if (try_pool(pools_[share.pool])) return true;
    result.why.fell_back = std::any_of(share.others.begin(), share.others.end(), [&](auto other) { return try_pool(pools_[other]); });
    if (result.why.fell_back) service.state->version_fallbacks.fetch_add(1, std::memory_order_relaxed);
    return result.why.fell_back;
  };
  if (!found()) result.failure = why_none(any_usable);
  if (context.ignore_ejections && result.slot) {
    result.why.panic = true;
    service.state->panics.fetch_add(1, std::memory_order_relaxed);
  }
  return result;
}

}  // namespace nlb::route
