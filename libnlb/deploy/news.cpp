#include "libnlb/deploy/news.hpp"

#include <algorithm>
#include <set>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"

namespace nlb::deploy {
namespace {

using rollout::TrafficCounts;
using rollout::TrafficSample;

std::uint64_t failures_of(const v1::Counters& c) {
  return c.connect_failures() + c.early_resets() + c.empty_answers() + c.protocol_errors();
}

TrafficCounts counts_of(const v1::Counters& c) {
  return {c.attempts(), failures_of(c), c.failing_clients(), c.connect_failures(), c.connect_failing_clients()};
}

std::vector<std::uint64_t> counts_of(const v1::Histogram& h) { return {h.counts().begin(), h.counts().end()}; }

TrafficSample sample_of(const v1::Traffic& message) {
  TrafficSample sample;
  sample.started = message.started_unix_us();
  sample.number = message.sample();
  sample.totals = counts_of(message.totals());
  for (const auto& module : message.modules())
    sample.replicas[module.module()] = {counts_of(module.counters()), counts_of(module.first_byte_us()), counts_of(module.session_ms()), counts_of(module.bytes_to_client())};
  sample.first_byte = counts_of(message.first_byte_us());
  sample.session = counts_of(message.session_ms());
  sample.bytes_back = counts_of(message.bytes_to_client());
  if (message.has_aa_half())
    sample.half = rollout::Sessions{counts_of(message.aa_half()), counts_of(message.aa_first_byte_us()), counts_of(message.aa_session_ms()), counts_of(message.aa_bytes_to_client())};
  return sample;
}

std::uint64_t quantile(const std::vector<std::uint64_t>& counts, const std::vector<std::uint64_t>& bounds, double q) {
  std::uint64_t all = 0, below = 0;
  for (const auto count : counts) all += count;
  if (all == 0 || bounds.empty()) return 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    if (static_cast<double>(below) >= q * static_cast<double>(all)) return bounds[std::min(i, bounds.size() - 1)];
  }
  return bounds.back();
}

std::uint64_t sessions_of(const v1::Applied& applied) {
  std::uint64_t sessions = 0;
  for (const auto& part : applied.parts()) sessions += part.sessions();
  return sessions;
}

std::uint64_t sessions_of(const v1::Applied& applied, const std::string& version) {
  for (const auto& part : applied.parts())
    if (part.version() == version) return part.sessions();
  return 0;
}

template <class Message>
std::optional<Message> parse(const bus::Change& change) {
  Message message;
  if (change.payload == nullptr || !message.ParseFromString(*change.payload)) return std::nullopt;
  return message;
}

}  // namespace

const News::Service* News::find(const std::string& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? nullptr : &found->second;
}

void News::hear_traffic(const std::string& topic, const bus::Change& change, MonoTime now) {
  const auto forwarder = std::string(bus::topic_part(topic, 1)), version = std::string(bus::topic_part(topic, 3));
  auto& service = services_[std::string(bus::topic_part(topic, 2))];
  if (change.kind == bus::Change::Kind::gone) {
    service.traffic[forwarder].erase(version);
    return;
  }
  auto message = parse<v1::Traffic>(change);
  if (!message) return;
  auto& series = service.traffic[forwarder][version];
  const bool new_sample = message->started_unix_us() != series.last.started_unix_us() || message->sample() > series.last.sample();
  auto news = series.reader.take(sample_of(*message));
  if (new_sample) series.heard = std::min(now, change.made_at);
  series.last = std::move(*message);
  service.first_byte_bounds.assign(series.last.first_byte_us().bounds().begin(), series.last.first_byte_us().bounds().end());
  if (service.pending.size() < pending_max) service.pending.push_back({forwarder, version, std::move(news)});
  else ++dropped_;
}

void News::hear(const bus::Change& change, MonoTime now) {
  const auto topic_class = bus::class_of(change.topic);
  const auto second = std::string(bus::topic_part(change.topic, 1)), third = std::string(bus::topic_part(change.topic, 2));
  const bool gone = change.kind == bus::Change::Kind::gone;
  if (topic_class == "traffic") return hear_traffic(change.topic, change, now);
  if (topic_class == "applied") {
    if (gone) services_[third].applied.erase(second);
    else if (auto message = parse<v1::Applied>(change)) services_[third].applied[second] = std::move(*message);
  } else if (topic_class == "modules") {
    if (gone) {
      services_[second].modules.erase(third);
    } else if (const auto message = parse<v1::Module>(change)) {
      if (auto module = bus::from_proto(*message)) {
        auto& known = services_[second].modules[third];
        module->state = registry::carried(known, *module);
        known = std::move(*module);
      }
    }
  } else if (topic_class == "replicas") {
    if (gone) services_[second].replicas.erase(third);
    else if (auto message = parse<v1::Replicas>(change)) services_[second].replicas[third] = std::move(*message);
  }
}

bool News::heard_within(const Service& service, const std::string& forwarder, Duration limit, MonoTime now) const {
  const auto found = service.traffic.find(forwarder);
  if (found == service.traffic.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const auto& each) { return now - each.second.heard < limit; });
}

rollout::Health News::health(const Service& service, const rollout::Rollout& rollout, const std::string& site, MonoTime now) const {
  rollout::Health health;
  health.canary_healthy = healthy(rollout.service(), rollout.plan().candidate, now);
  if (healthy(rollout.service(), rollout.plan().stable, now) == 0u) health.canary_healthy.reset();   // nothing to go back to: a registry that has just begun, or an outage that is shared
  for (const auto& [forwarder, versions] : service.traffic) {
    if (!rollout::belongs_to_site(forwarder, site) || !lives(service, forwarder, now)) continue;
    const auto candidate = versions.find(rollout.plan().candidate);
    if (candidate == versions.end()) continue;
    health.connect_failures_in_row = std::max(health.connect_failures_in_row, candidate->second.last.connect_failures_in_row());
    health.connect_failure_clients = std::max(health.connect_failure_clients, candidate->second.last.connect_failing_clients_in_row());
  }
  const auto stable = service.window.find(rollout.plan().stable);
  if (stable != service.window.end())
    health.stable_connects = std::none_of(stable->second.begin(), stable->second.end(), [](const auto& s) { return s.totals.connect_failures > 0; });
  return health;
}

rollout::Room News::room(const Service& service, const std::string& candidate, const std::string& site, MonoTime now) const {
  rollout::Room fullest;
  for (const auto& [forwarder, versions] : service.traffic) {
    if (!rollout::belongs_to_site(forwarder, site) || !lives(service, forwarder, now)) continue;
    const auto found = versions.find(candidate);
    if (found == versions.end()) continue;
    const auto& told = found->second.last;
    const double open = static_cast<double>(told.totals().sessions_active()), places = static_cast<double>(told.places());
    const double taken = places == 0 ? 0 : std::min(1.0, open / places);   // sessions of modules that are leaving count, too
    if (std::pair(told.queue_length(), taken) > std::pair(fullest.queued, fullest.taken)) fullest = {taken, told.queue_length(), forwarder};
  }
  return fullest;
}

// A second's traffic of each version, for the rates that people see.
void News::keep_window(Service& service) {
  for (auto& [version, seconds] : service.window) seconds.emplace_back();
  for (const auto& each : service.pending) {
    auto& seconds = service.window[each.version];
    if (seconds.empty()) seconds.emplace_back();
    auto& sum = seconds.back();
    sum.totals += each.news.totals;
    sum.first_byte.resize(std::max(sum.first_byte.size(), each.news.first_byte.size()));
    for (std::size_t i = 0; i < each.news.first_byte.size(); ++i) sum.first_byte[i] += each.news.first_byte[i];
  }
  for (auto& [version, seconds] : service.window)
    while (seconds.size() > window_seconds) seconds.pop_front();
  std::erase_if(service.window, [&](const auto& entry) {
    const bool idle = std::all_of(entry.second.begin(), entry.second.end(), [](const auto& s) { return s.totals == TrafficCounts{}; });
    return idle && entry.second.size() == window_seconds;
  });
}

std::vector<rollout::SiteNews> News::sites(const rollout::Rollout& rollout, bool per_connection, MonoTime now) {
  auto& service = services_[rollout.service()];
  const auto& plan = rollout.plan();
  const auto clock_second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  keep_window(service);
  std::erase_if(service.meters, [&](const auto& entry) { return std::find(plan.sites.begin(), plan.sites.end(), entry.first) == plan.sites.end(); });
  std::vector<rollout::SiteNews> all;
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    const auto& site = plan.sites[i];
    auto& meter = service.meters[site];
    for (const auto& each : service.pending)
      if (rollout::belongs_to_site(each.forwarder, site)) meter.add(each.version, each.news);
    rollout::SiteNews news;
    std::uint64_t sessions = 0, clients = 0;
    for (const auto& [name, applied] : service.applied) {
      if (!rollout::belongs_to_site(name, site)) continue;
      const bool measurable = per_connection || applied.clients() > 0;
      news.forwarders.push_back({name, heard_within(service, name, gone_after, now), applied.split_epoch(), applied.split_revision(),
                                 measurable ? sessions_of(applied, plan.candidate) : 0, measurable ? sessions_of(applied) : 0,
                                 per_connection ? 0 : applied.clients()});
      if (applied.clients() == 0) continue;
      sessions += sessions_of(applied);
      clients += applied.clients();
    }
    // A forwarder that carries traffic but never acknowledged anything blocks steps up, too.
    for (const auto& [name, versions] : service.traffic)
      if (rollout::belongs_to_site(name, site) && !service.applied.contains(name) && heard_within(service, name, gone_after, now)) news.forwarders.push_back({name, true, 0, 0, 0, 0, 0});
    meter.set_sessions_per_client(clients == 0 ? 1 : static_cast<double>(sessions) / static_cast<double>(clients));
    const bool promoted = rollout.serving() != plan.stable;   // the old version only idles: no second one to compare
    auto sample = meter.sample(rollout.second(now), clock_second, static_cast<double>(rollout.weight(i)) / rollout::weight_max, rollout.serving(),
                               promoted ? std::string() : plan.candidate, rollout::default_signals());
    if (!sample.signals.empty()) news.samples.push_back(std::move(sample));
    news.health = health(service, rollout, site, now);
    news.room = room(service, plan.candidate, site, now);
    if (scaled(rollout.service())) {
      const auto stable = std::max(1u, ready(rollout.service(), plan.stable));
      const auto weight = std::uint64_t{ready(rollout.service(), plan.candidate)} * rollout::weight_max / stable;
      news.capacity_weight = static_cast<std::uint32_t>(std::min<std::uint64_t>(rollout::weight_max, weight));
    }
    all.push_back(std::move(news));
  }
  service.pending.clear();
  return all;
}

rollout::Sample News::halves(const std::string& name) {
  rollout::Sample sum;
  for (auto& [site, meter] : services_[name].meters) sum += meter.halves();
  return sum;
}

VersionView News::view(const std::string& name, const std::string& version, MonoTime now) const {
  VersionView view;
  const auto* service = find(name);
  if (service == nullptr) return view;
  std::set<std::string> modules;
  for (const auto& [module, record] : service->modules)
    if (record.version == version) modules.insert(module);
  for (const auto& [forwarder, versions] : service->traffic) {
    const auto series = versions.find(version);
    if (series == versions.end() || !lives(*service, forwarder, now)) continue;
    view.sessions_active += series->second.last.totals().sessions_active();
    for (const auto& module : series->second.last.modules()) modules.insert(module.module());
  }
  view.modules = static_cast<std::uint32_t>(modules.size());
  view.modules_routable = healthy(name, version, now).value_or(0);
  const auto window = service->window.find(version);
  if (window == service->window.end() || window->second.empty()) return view;
  TrafficSample sum;
  for (const auto& second : window->second) {
    sum.totals += second.totals;
    sum.first_byte.resize(std::max(sum.first_byte.size(), second.first_byte.size()));
    for (std::size_t i = 0; i < second.first_byte.size(); ++i) sum.first_byte[i] += second.first_byte[i];
  }
  const auto seconds = static_cast<double>(window->second.size());
  view.attempts_per_second = static_cast<double>(sum.totals.attempts) / seconds;
  view.failures_per_second = static_cast<double>(sum.totals.failures) / seconds;
  view.failing_clients_per_second = static_cast<double>(sum.totals.failing_clients) / seconds;
  view.first_byte_p50_us = quantile(sum.first_byte, service->first_byte_bounds, 0.50);
  view.first_byte_p99_us = quantile(sum.first_byte, service->first_byte_bounds, 0.99);
  return view;
}

double News::measured_share(const std::string& name, const rollout::Split& split, MonoTime now) const {
  std::uint64_t candidate = 0, sessions = 0;
  for (const auto& applied : forwarders(name, now)) {
    if (applied.split_epoch() != split.epoch || applied.split_revision() != split.version) continue;
    candidate += sessions_of(applied, split.candidate);
    sessions += sessions_of(applied);
  }
  return sessions == 0 ? 0 : static_cast<double>(candidate) / static_cast<double>(sessions);
}

std::vector<v1::Applied> News::forwarders(const std::string& name, MonoTime now) const {
  std::vector<v1::Applied> live;
  if (const auto* service = find(name))
    for (const auto& [forwarder, applied] : service->applied)
      if (lives(*service, forwarder, now)) live.push_back(applied);
  return live;
}

std::vector<std::string> News::lagging(const std::string& name, const rollout::Split& split, MonoTime now) const {
  std::vector<std::string> names;
  if (const auto* service = find(name))
    for (const auto& [forwarder, applied] : service->applied)
      if (heard_within(*service, forwarder, gone_after, now) && (applied.split_epoch() != split.epoch || applied.split_revision() != split.version))
        names.push_back(forwarder);
  return names;
}

std::vector<std::string> News::versions(const std::string& name) const {
  std::set<std::string> versions;
  if (const auto* service = find(name)) {
    for (const auto& [module, record] : service->modules) versions.insert(record.version);
    for (const auto& [forwarder, series] : service->traffic)
      for (const auto& [version, each] : series) versions.insert(version);
  }
  return {versions.begin(), versions.end()};
}

std::vector<std::string> News::services() const {
  std::vector<std::string> names;
  for (const auto& [name, service] : services_)
    if (!service.modules.empty() || !service.traffic.empty()) names.push_back(name);
  return names;
}

Protocol News::protocol(const std::string& name) const {
  if (const auto* service = find(name)) {
    for (const auto& [module, record] : service->modules) return record.protocol;
    for (const auto& [forwarder, versions] : service->traffic)
      for (const auto& [version, series] : versions) return bus::from_proto(series.last.protocol());
  }
  return Protocol::unknown;
}

std::string News::colour(const std::string& name, const std::string& version) const {
  if (const auto* service = find(name))
    for (const auto& [module, record] : service->modules)
      if (record.version == version && !record.colour.empty()) return record.colour;
  return {};
}

std::optional<std::uint32_t> News::healthy(const std::string& name, const std::string& version, MonoTime now) const {
  const auto* service = find(name);
  if (service == nullptr) return std::nullopt;
  std::map<std::string, bool> seen;   // by forwarders: true when at least one has not ejected it
  bool anything = false;
  for (const auto& [forwarder, versions] : service->traffic) {
    if (!lives(*service, forwarder, now)) continue;
    anything |= std::any_of(versions.begin(), versions.end(), [](const auto& each) { return !each.second.last.modules().empty(); });
    const auto series = versions.find(version);
    if (series == versions.end()) continue;
    for (const auto& module : series->second.last.modules()) seen[module.module()] |= !module.ejected();
  }
  if (service->modules.empty()) {
    if (!anything) return std::nullopt;
    return static_cast<std::uint32_t>(std::count_if(seen.begin(), seen.end(), [](const auto& each) { return each.second; }));
  }
  std::uint32_t healthy = 0;
  for (const auto& [module, record] : service->modules) {
    const auto found = seen.find(module);
    healthy += record.version == version && is_routable(record) && (found == seen.end() || found->second);
  }
  return healthy;
}

bool News::scaled(const std::string& name) const {
  const auto* service = find(name);
  return service != nullptr && !service->replicas.empty();
}

std::uint32_t News::ready(const std::string& name, const std::string& version) const {
  const auto* service = find(name);
  if (service == nullptr) return 0;
  const auto found = service->replicas.find(version);
  return found == service->replicas.end() ? 0 : found->second.ready();
}

}  // namespace nlb::deploy
