#include "tools/nlb-scale/facts.hpp"

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"

namespace nlb::tool {
namespace {
constexpr Duration without_lease = std::chrono::hours(24 * 365);   // a hold that names none stays until it is taken back
}

std::uint32_t ServiceFacts::next_weight(const std::string& version) const {
  std::uint32_t weight = 0;
  if (const auto at = versions.find(version); at != versions.end() && at->second.hold) weight = at->second.hold->weight_per_10000();
  if (rollout_running() && rollout && rollout->rollout_id() == split->rollout_id() && rollout->stable_version() == version) weight = 10000;
  return weight;
}

bool ServiceFacts::retired(const std::string& version, MonoTime now) const {
  if (!split || split->parts().empty()) return false;
  if (const auto at = versions.find(version); at != versions.end() && at->second.hold && now < at->second.hold_until) return false;
  if (next_weight(version) > 0) return false;
  for (const auto& part : split->parts())
    if (part.version() == version && part.weight_per_10000() > 0) return false;
  return true;
}

const ServiceFacts* Facts::find(const std::string& service) const {
  const auto at = services_.find(service);
  return at == services_.end() ? nullptr : &at->second;
}

void Facts::module(const std::string& service, const std::string& version, const scale::ModuleSeen& seen) {
  for (auto& [other, facts] : services_[service].versions)
    if (other != version) facts.modules.erase(seen.name);
  services_[service].versions[version].modules[seen.name] = seen;
}

void Facts::module_gone(const std::string& service, const std::string& name) {
  const auto at = services_.find(service);
  if (at == services_.end()) return;
  for (auto& [version, facts] : at->second.versions) facts.modules.erase(name);
}

void Facts::take(const bus::PeerChange& change, MonoTime now, TrafficSink& sink) {
  for (const auto& c : change.changes) {
    if (c.kind == bus::Change::Kind::gone) gone(c.topic, sink);
    else if (c.payload) put(c.topic, *c.payload, c.made_at, now, sink);
  }
}

template <class Message> std::optional<Message> Facts::parse(const std::string& payload) {
  Message message;
  if (message.ParseFromString(payload)) return message;
  ++unreadable_;
  return std::nullopt;
}

void Facts::put(const std::string& topic, const std::string& payload, MonoTime made_at, MonoTime now, TrafficSink& sink) {
  const auto topic_class = bus::class_of(topic);
  heard_.insert(std::string(topic_class));
  if (topic_class == "modules") {
    const auto message = parse<v1::Module>(payload);
    const auto m = message ? bus::from_proto(*message) : fail(ErrorKind::bad_input, "");
    if (!m) return;
    const auto instance = m->labels.find("instance");
    const bool draining = m->state.phase == registry::Phase::draining;
    auto undrained = *m;
    if (draining) undrained.state.phase = registry::Phase::up;
    services_[m->service].protocol = m->protocol;
    module(m->service, m->version, {m->name, instance == m->labels.end() ? std::string() : instance->second, to_string(m->data),
                                    registry::is_routable(undrained), draining});
  } else if (topic_class == "splits") {
    if (auto m = parse<v1::Split>(payload)) services_[m->service()].split = std::move(*m);
  } else if (topic_class == "rollouts") {
    if (auto m = parse<v1::Rollout>(payload)) services_[m->service()].rollout = std::move(*m);
  } else if (topic_class == "holds") {
    const auto m = parse<v1::Hold>(payload);
    if (!m) return;
    auto& service = services_[m->service()];
    for (auto& [version, facts] : service.versions) facts.hold.reset();
    for (const auto& part : m->parts()) {
      auto& version = service.versions[part.version()];
      version.hold = part;
      version.hold_until = m->lease_ms() > 0 ? made_at + std::chrono::milliseconds(m->lease_ms()) : now + without_lease;
    }
  } else if (topic_class == "loads") {
    if (const auto m = parse<v1::ModuleLoad>(payload)) sink.load(*m, made_at);
  } else if (topic_class == "traffic") {
    const auto m = parse<v1::Traffic>(payload);
    if (!m) return;
    auto& service = services_[m->service()];
    service.traffic_at = now;
    if (const auto protocol = bus::from_proto(m->protocol()); protocol != Protocol::unknown) service.protocol = protocol;
    service.versions[m->version()];
    sink.traffic(m->forwarder(), *m, made_at);
  }
}

void Facts::gone(const std::string& topic, TrafficSink& sink) {
  const auto topic_class = bus::class_of(topic);
  const auto part = [&](std::size_t i) { return std::string(bus::topic_part(topic, i)); };
  const auto at = services_.find(part(1));
  if (topic_class == "modules") module_gone(part(1), part(2));
  else if (topic_class == "loads") sink.load_gone(part(1), part(2));
  else if (topic_class == "traffic") sink.forwarder_gone(part(1), part(2), part(3));
  else if (at == services_.end()) return;
  else if (topic_class == "splits") at->second.split.reset();
  else if (topic_class == "rollouts") at->second.rollout.reset();
  else if (topic_class == "holds")
    for (auto& [version, facts] : at->second.versions) facts.hold.reset();
}

}  // namespace nlb::tool
