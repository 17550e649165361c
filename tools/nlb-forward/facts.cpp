#include "tools/nlb-forward/facts.hpp"

#include <algorithm>
#include <numeric>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/rollout/meter.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::forward {
namespace {

const auto& parts_for(const v1::Split& message, const std::string& name) {
  for (const auto& site : message.sites())
    if (rollout::belongs_to_site(name, site.site())) return site.parts();
  return message.parts();
}

// A deployer lists stable first; the table wants the version whose share changes first, so that its buckets grow from zero.
Result<KnownSplit> to_split(const v1::Split& message, std::uint64_t epoch, const std::string& name) {
  KnownSplit known;
  known.epoch = epoch;
  known.split.service = message.service();
  known.split.generation = message.revision();
  known.split.sticky = message.sticky() == v1::STICKY_CONNECTION ? route::SplitSticky::connection : route::SplitSticky::client;
  std::copy_n(message.salt().begin(), std::min(message.salt().size(), known.split.salt.size()), known.split.salt.begin());
  known.ejected.assign(message.ejected_modules().begin(), message.ejected_modules().end());
  std::uint64_t sum = 0;
  for (const auto& part : parts_for(message, name)) {
    known.split.versions.push_back({part.version(), part.weight_per_10000()});
    sum += part.weight_per_10000();
    if (part.weight_per_10000() > 0 || message.old_sessions() == v1::OLD_SESSIONS_STAY) continue;
    known.ends.version_ends.push_back({message.service(), part.version(), std::chrono::milliseconds(message.old_sessions_deadline_ms()),
                                       message.old_sessions() == v1::OLD_SESSIONS_RESET});
  }
  if (known.split.service.empty() || sum != 10000)
    return fail(ErrorKind::bad_input, "split of '" + message.service() + "' refused: its weights add up to " + std::to_string(sum) + ", not 10000");
  std::reverse(known.split.versions.begin(), known.split.versions.end());
  return known;
}

}  // namespace

bool Facts::apply(const bus::Change& change, std::string& problem) {
  const auto kind = bus::class_of(change.topic);
  if (kind == "modules") return apply_module(change, problem);
  if (kind == "splits") return apply_split(change, problem);
  if (kind == "drains") return apply_drains(change, problem);
  return false;
}

const registry::Module* Facts::module(const std::string& topic) const {
  const auto found = modules_.find(topic);
  return found == modules_.end() ? nullptr : &found->second;
}

bool Facts::apply_module(const bus::Change& change, std::string& problem) {
  if (change.kind == bus::Change::Kind::quarantined) quarantined_.insert(change.topic);
  else quarantined_.erase(change.topic);
  if (change.kind == bus::Change::Kind::gone) return modules_.erase(change.topic) > 0;
  v1::Module message;
  if (!message.ParseFromArray(change.payload->data(), static_cast<int>(change.payload->size()))) {
    problem = change.topic + ": not a module record";
    return false;
  }
  auto module = bus::from_proto(message);
  if (!module) {
    problem = change.topic + ": " + module.error().text;
    return false;
  }
  const auto known = modules_.find(change.topic);
  if (known != modules_.end()) module->state = registry::carried(known->second, *module);
  if (known != modules_.end() && known->second == *module) return false;
  modules_[change.topic] = std::move(*module);
  return true;
}

bool Facts::apply_split(const bus::Change& change, std::string& problem) {
  const std::string service(bus::topic_part(change.topic, 1));
  if (change.kind == bus::Change::Kind::gone) {
    const auto known = splits_.find(service);
    if (known == splits_.end() || change.epoch < known->second.epoch) return false;   // a deposed deployer's word
    splits_.erase(known);
    return true;
  }
  v1::Split message;
  const bool read = message.ParseFromArray(change.payload->data(), static_cast<int>(change.payload->size()));
  auto split = read ? to_split(message, change.epoch, name_) : Result<KnownSplit>(fail(ErrorKind::bad_input, change.topic + ": not a split"));
  auto& known = splits_[service];
  if (split && (split->epoch < known.epoch || (split->epoch == known.epoch && split->split.generation < known.split.generation)))
    split = fail(ErrorKind::conflict, "split of '" + service + "' refused: it is older than the one in force");
  if (!split) {
    problem = split.error().text;
    if (split.error().kind != ErrorKind::conflict) known.refused = problem;   // an older word is refused as it should be
    return false;
  }
  known = std::move(*split);
  return true;
}

bool Facts::apply_drains(const bus::Change& change, std::string& problem) {
  const std::string service(bus::topic_part(change.topic, 1));
  v1::Drains message;
  if (change.kind != bus::Change::Kind::gone && !message.ParseFromArray(change.payload->data(), static_cast<int>(change.payload->size()))) {
    problem = change.topic + ": not a list of drains";
    return false;
  }
  std::set<std::string> names;
  for (const auto& drain : message.drains()) names.insert(drain.module());
  auto& known = drains_[service];
  if (known == names) return false;
  known = std::move(names);
  return true;
}

relay::Remote Facts::remote() const {
  relay::Remote remote;
  for (const auto& [topic, module] : modules_) {
    remote.modules.push_back(module);
    if (const auto drained = drains_.find(module.service); drained != drains_.end() && drained->second.contains(module.name))
      remote.modules.back().state.phase = registry::Phase::draining;
  }
  for (const auto& [service, known] : splits_) {
    if (known.split.versions.empty()) continue;   // only ever refused
    for (const auto& module : known.ejected) remote.ejected.emplace_back(service, module);
    remote.splits.push_back(known.split);
    remote.version_ends.insert(remote.version_ends.end(), known.ends.version_ends.begin(), known.ends.version_ends.end());
  }
  return remote;
}

}  // namespace nlb::forward
