// Facts in, Scalers driven, news out. The verbs are in controller_verbs.cpp, what is told in controller_report.cpp.
#include "tools/nlb-scale/controller.hpp"

#include <algorithm>
#include <cstdlib>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/orchestrator/factory.hpp"
#include "tools/nlb-scale/policy.hpp"

namespace nlb::tool {

using daemon::mono_now;
namespace {

constexpr Duration tick_period = std::chrono::milliseconds(250);
constexpr Duration save_period = std::chrono::minutes(10);   // what was learned; orders and words of people are kept at once
constexpr Duration target_retry = std::chrono::seconds(5);
constexpr Duration bus_interval = std::chrono::seconds(5);
constexpr Duration traffic_recent = std::chrono::minutes(1);
constexpr std::string_view first_version = "v1";

std::set<std::string> written_keys(const config::Loaded& loaded) {
  std::set<std::string> keys;
  for (const auto& origin : loaded.origins)
    if (origin.source != config::Source::default_value) keys.insert(origin.path);
  return keys;
}

std::string module_source(const std::string& module) { return "module " + module; }

bool known_kind(std::string_view key) { return key.starts_with("state/") || key.starts_with("manual/") || key.starts_with("intent/") || key.starts_with("drain/"); }

}  // namespace

Controller::Controller(const cli::ConfigFile& file, daemon::ControlLoop& loop, store::Store& store, std::optional<store::Condition> fence,
                       std::uint64_t epoch, Publisher publisher)
    : config_(file.config), explicit_keys_(written_keys(file.loaded)), places_(cli::places_of("scale")), loop_(loop),
      keeper_(store, std::move(fence), [&loop](auto work) { loop.post(std::move(work)); }), epoch_(epoch), publisher_(std::move(publisher)) {
  world_.record = [this](Event e, store::Transaction t, Keeper::Done done) { record(std::move(e), std::move(t), std::move(done)); };
  world_.drains_changed = [this](const std::string& service) { publish_drains(service); };
  world_.decided = [this](const Scaler& s) { publish_replicas(s); };
  world_.service_metrics = [this](const std::string& service) { return service_metrics(service); };
}

Controller::~Controller() { save(); }

Result<> Controller::start(store::Store& store) {
  auto events = Keeper::history(store, history_max);
  if (!events) return tl::unexpected(events.error());
  history_.assign(events->begin(), events->end());
  if (!history_.empty()) revision_ = history_.back().revision;
  auto all = store.range("");
  if (!all) return tl::unexpected(all.error());
  for (const auto& entry : all->entries) {
    if (known_kind(entry.key)) stored_[entry.key] = entry.value;
    if (!entry.key.starts_with("policy/")) continue;
    v1::Policy policy;
    if (!policy.ParseFromString(entry.value)) continue;
    auto known = merged(policy, policy_for(policy.service(), policy.version()));
    if (known) set_policies_[{policy.service(), policy.version()}] = std::move(*known);
    else daemon::log::warning("a stored policy is not used", {{"service", policy.service()}, {"reason", known.error().text}});
  }
  if (store.trim_journal(history_.empty() ? 0 : history_.front().revision)) {}   // more than that nobody asks for
  find_versions();
  timer_ = loop_.every(tick_period, [this] { tick(); });
  saver_ = loop_.every(save_period, [this] { save(); });
  return {};
}

Result<> Controller::reload(const cli::ConfigFile& file) {
  config_ = file.config;
  explicit_keys_ = written_keys(file.loaded);
  for (auto at = scalers_.begin(); at != scalers_.end();) {
    const auto* policy = policy_for(at->first.first, at->first.second);
    if (policy == nullptr) {
      daemon::log::warning("no policy names it any more: its replicas are left alone", {{"service", at->second->name()}});
      const auto service = at->first.first;
      at = scalers_.erase(at);
      publish_drains(service);                           // what it drained serves again
      continue;
    }
    if (auto changed = at->second->change(options_of(*policy, at->first.second)); !changed) return changed;
    ++at;
  }
  no_target_.clear();
  find_versions();
  return {};
}

const config::ScalePolicy* Controller::policy_for(const std::string& service, const std::string& version) const {
  for (const auto& wanted : {version, std::string()}) {
    if (const auto at = set_policies_.find({service, wanted}); at != set_policies_.end()) return &at->second;
    for (const auto& policy : config_.scale.policies)
      if (policy.service == service && policy.version == wanted) return &policy;
  }
  return nullptr;
}

ScalerOptions Controller::options_of(const config::ScalePolicy& policy, const std::string& version) const {
  ScalerOptions out;
  out.policy = policy;
  out.version = version;
  out.interval = config_.scale.interval;
  const auto* facts = facts_.find(policy.service);
  if (facts != nullptr && facts->traffic_at != MonoTime{} && mono_now() - facts->traffic_at < traffic_recent && !explicit_keys_.contains("scale.interval"))
    out.interval = bus_interval;
  if (const auto at = config_.services.find(policy.service); at != config_.services.end()) out.drain_timeout = at->second.drain_timeout;
  constexpr std::array<std::string_view, scale::metric_kinds> names = {"rate", "connections", "cpu_percent", "memory_percent"};
  const auto set = set_policies_.contains({policy.service, policy.version});
  for (std::size_t i = 0; i < config_.scale.policies.size(); ++i) {
    if (config_.scale.policies[i].service != policy.service || config_.scale.policies[i].version != policy.version) continue;
    for (std::size_t k = 0; k < scale::metric_kinds; ++k)
      out.required[k] = explicit_keys_.contains("scale.policies[" + std::to_string(i) + "].targets." + std::string(names[k]));
  }
  const config::ScalePolicy usual;
  const std::array<double, scale::metric_kinds> values = {policy.rate, policy.connections, policy.cpu_percent, policy.memory_percent};
  const std::array<double, scale::metric_kinds> defaults = {usual.rate, usual.connections, usual.cpu_percent, usual.memory_percent};
  for (std::size_t k = 0; k < scale::metric_kinds; ++k)
    if (set && values[k] != defaults[k]) out.required[k] = true;
  return out;
}

void Controller::ensure(const config::ScalePolicy& policy, const std::string& version) {
  const Key key{policy.service, version};
  if (scalers_.contains(key) || (no_target_.contains(key) && mono_now() < retry_targets_)) return;
  const auto reason = scalers_.size() >= versions_max ? "more than " + std::to_string(versions_max) + " versions: is a name made anew for each start?" : std::string();
  const orchestrator::Places places{places_.state + "/scale", places_.state + "/scale/log", [](const char* name) {
                                      const char* value = std::getenv(name);
                                      return std::string(value == nullptr ? "" : value);
                                    }};
  orchestrator::TargetOptions options;
  options.seed = static_cast<std::uint64_t>(mono_now().time_since_epoch().count()) + scalers_.size();
  const auto post = [this](auto work) { loop_.post(std::move(work)); };
  auto target = reason.empty() ? orchestrator::make_target(policy.target, policy.service, version, places, post, options) : fail(ErrorKind::refused, reason);
  if (!target) {
    if (std::exchange(no_target_[key], target.error().text) != target.error().text)
      daemon::log::error("it is not scaled", {{"service", policy.service}, {"version", version}, {"reason", target.error().text}});
    return;
  }
  no_target_.erase(key);
  auto scaler = std::make_unique<Scaler>(options_of(policy, version), world_, std::move(*target));
  scaler->restore(stored_);
  daemon::log::info("scaling", {{"service", policy.service}, {"version", version}, {"target", policy.target.kind}, {"min", policy.min}, {"max", policy.max}});
  scalers_.emplace(key, std::move(scaler));
}

// A policy for every version: those that anybody has named; the first one when nobody has.
void Controller::find_versions() {
  std::set<Key> wanted;
  const auto add = [&](const config::ScalePolicy& policy) {
    if (!policy.version.empty()) return void(wanted.insert({policy.service, policy.version}));
    const auto before = wanted.size();
    if (const auto* facts = facts_.find(policy.service))
      for (const auto& [version, known] : facts->versions)
        if (!version.empty() && !facts->retired(version, mono_now())) wanted.insert({policy.service, version});
    for (const auto& [key, value] : stored_) {
      const auto prefix = "state/" + policy.service + "/";
      if (key.starts_with(prefix)) wanted.insert({policy.service, key.substr(prefix.size())});
    }
    if (wanted.size() == before) wanted.insert({policy.service, std::string(first_version)});
  };
  for (const auto& policy : config_.scale.policies) add(policy);
  for (const auto& [key, policy] : set_policies_) add(policy);
  for (const auto& [service, version] : wanted)
    if (const auto* policy = policy_for(service, version)) ensure(*policy, version);
}

void Controller::update(Scaler& scaler, MonoTime now) {
  scaler.wait_for_facts(!facts_.heard_of("holds") && !facts_.heard_of("splits"));
  const auto* service = facts_.find(scaler.service());
  if (service == nullptr) return;
  if (const auto at = service->versions.find(scaler.version()); at != service->versions.end()) {
    for (const auto& [name, module] : at->second.modules) scaler.pool().module(module);
    if (at->second.hold) scaler.held(at->second.hold->replicas_min(), at->second.hold_until);
    else if (facts_.heard_of("holds")) scaler.held(0, {});
  }
  scaler.weights(service->next_weight(scaler.version()), service->retired(scaler.version(), now), service->rollout_running());
}

void Controller::tick() {
  const auto now = mono_now();
  if (!no_target_.empty() && now >= retry_targets_) {   // another process may have let go of it
    find_versions();
    retry_targets_ = now + target_retry;
  }
  for (auto& [key, scaler] : scalers_) {
    const auto* policy = policy_for(key.first, key.second);
    if (policy != nullptr && options_of(*policy, key.second).interval != scaler->interval()) {
      if (auto changed = scaler->change(options_of(*policy, key.second)); !changed) daemon::log::warning(changed.error().text);
    }
    update(*scaler, now);
    scaler->tick(now);
  }
}

void Controller::on_bus(const bus::PeerChange& change) {
  facts_.take(change, mono_now(), *this);
  for (const auto& c : change.changes)
    if (c.kind == bus::Change::Kind::gone && bus::class_of(c.topic) == "modules")
      for (auto* s : scalers_of(std::string(bus::topic_part(c.topic, 1)), "")) s->pool().module_gone(std::string(bus::topic_part(c.topic, 2)));
  find_versions();
}

void Controller::traffic(const std::string& source, const v1::Traffic& m, MonoTime at) {
  const auto found = scalers_.find({m.service(), m.version()});
  if (found == scalers_.end()) return;
  auto& scaler = *found->second;
  const auto clock = std::chrono::milliseconds(m.uptime_ms());
  scaler.meter().count(source, scale::MetricKind::rate, static_cast<double>(m.totals().sessions_opened()), clock, m.started_unix_us(), at);
  scaler.meter().level(source, scale::MetricKind::connections, static_cast<double>(m.totals().sessions_active()), m.sample(), at);
  for (const auto& module : m.modules()) scaler.pool().sessions(source, module.module(), module.counters().sessions_active(), at);
}

void Controller::forwarder_gone(const std::string& source, const std::string& service, const std::string& version) {
  const auto found = scalers_.find({service, version});
  if (found == scalers_.end()) return;
  found->second->meter().forget(source);
  found->second->pool().forget_forwarder(source);
}

// Every module is a source of its own: one that stops telling is missed, and nothing is scaled in on what the others say.
void Controller::load(const v1::ModuleLoad& m, MonoTime at) {
  const auto found = scalers_.find({m.service(), m.version()});
  if (found == scalers_.end()) return;
  const auto period = std::chrono::milliseconds(m.interval_ms());
  auto& meter = found->second->meter();
  if (m.has_cpu_percent()) meter.level(module_source(m.module()), scale::MetricKind::cpu, m.cpu_percent(), m.heartbeat(), at, period);
  if (m.has_memory_percent()) meter.level(module_source(m.module()), scale::MetricKind::memory, m.memory_percent(), m.heartbeat(), at, period);
}

void Controller::load_gone(const std::string& service, const std::string& module) {
  for (auto* s : scalers_of(service, "")) s->meter().forget(module_source(module));
}

void Controller::measured(const std::string& source, const std::string& service, const std::string& version, scale::MetricKind kind, double value, bool counter) {
  const auto found = scalers_.find({service, version.empty() ? std::string(first_version) : version});
  if (found == scalers_.end()) return;
  const auto now = mono_now();
  if (counter) found->second->meter().count(source, kind, value, now.time_since_epoch(), 1, now);
  else found->second->meter().level(source, kind, value, ++sample_, now);
}

void Controller::module_seen(const std::string& service, const std::string& version, const scale::ModuleSeen& seen, std::optional<std::uint64_t> sessions, bool gone) {
  if (gone) facts_.module_gone(service, seen.name);
  else facts_.module(service, version, seen);
  find_versions();
  for (auto* s : scalers_of(service, version)) {
    if (gone) s->pool().module_gone(seen.name);
    else update(*s, mono_now());
    if (sessions) s->pool().sessions("stdin", seen.name, *sessions, mono_now());
  }
}

std::vector<Scaler*> Controller::scalers_of(const std::string& service, const std::string& version) const {
  std::vector<Scaler*> out;
  for (const auto& [key, scaler] : scalers_)
    if ((service.empty() || key.first == service) && (version.empty() || key.second == version)) out.push_back(scaler.get());
  return out;
}

std::vector<scale::Metric> Controller::service_metrics(const std::string& service) {
  std::array<scale::Metric, scale::metric_kinds> sums;
  std::array<bool, scale::metric_kinds> any{};
  for (auto* s : scalers_of(service, ""))
    for (const auto& m : s->meter().metrics(mono_now())) {
      const auto k = static_cast<std::size_t>(m.kind);
      sums[k] = {m.kind, sums[k].total + m.total, std::max(sums[k].at, m.at), sums[k].sequence + m.sequence};
      any[k] = true;
    }
  std::vector<scale::Metric> out;
  for (std::size_t k = 0; k < scale::metric_kinds; ++k)
    if (any[k]) out.push_back(sums[k]);
  return out;
}

void Controller::record(Event event, store::Transaction transaction, Keeper::Done done) {
  event.at = std::chrono::system_clock::now();
  store::JournalRecord line;
  line.at_mono = mono_now();
  line.at_wall = event.at;
  line.command = event.request;
  line.kind = event.verb;
  line.body = encode(event);
  transaction.journal.push_back(std::move(line));
  event.revision = ++revision_;
  daemon::log::info(event.verb, {{"service", event.service}, {"version", event.version}, {"text", event.text}});
  history_.push_back(std::move(event));
  if (history_.size() > history_max) history_.pop_front();
  keeper_.commit(std::move(transaction), std::move(done));
}

void Controller::save() {
  for (auto& [key, scaler] : scalers_) {
    store::Transaction t;
    t.then.push_back(store::put_of(scaler->key("state"), scaler->save_state()));
    t.then.push_back(store::put_of(scaler->key("manual"), scaler->save_manual()));
    keeper_.commit(std::move(t));
  }
}

}  // namespace nlb::tool
