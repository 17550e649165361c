#include "libnlb/bus/peers.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/owner_end.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/core/hash.hpp"

namespace nlb::bus {

Peers::Peers(zmq::context_t& context, PeersOptions options, std::uint64_t seed, Tell tell)
    : context_(context), options_(std::move(options)), seed_(seed), tell_(std::move(tell)), merge_(options_.subscriber.quarantine_settle) {}

Result<> Peers::add(PeerEndOptions options, MonoTime now) {
  const auto publish = options.publish;
  options.subscriber = options_.subscriber;
  options.high_water_mark = options_.high_water_mark;
  try {
    place(std::make_unique<PeerEnd>(context_, std::move(options), splitmix64(seed_), now));
  } catch (const zmq::error_t& e) {
    return fail(ErrorKind::config, "connect " + publish + ": " + e.what() + ": give ipc:///path or tcp://address:port");
  }
  return {};
}

void Peers::place(std::unique_ptr<PeerEnd> end) {
  std::vector<Change> told;
  const auto number = merge_.add(end->state(), told);
  const auto publish = end->options().publish;
  if (number >= ends_.size()) ends_.resize(number + 1);
  ends_[number] = std::move(end);
  if (options_.merged) say(publish, std::move(told));
}

void Peers::follow_known(MonoTime now) {
  for (std::size_t number = 0; number < ends_.size(); ++number) {      // grows while it runs
    const auto& facts = ends_[number]->state().facts();
    if (const auto found = facts.find(directory_topic); found != facts.end()) read_directory(number, *found->second.payload, now);
  }
}

void Peers::add_to(std::vector<zmq::pollitem_t>& items) {
  for (auto& end : ends_)
    if (end) end->add_to(items);
}

void Peers::serve(MonoTime now, const std::optional<OwnerEntry>& own) {
  if (own) own_publish_ = own->publish, own_name_ = own->name;
  for (std::size_t number = 0; number < ends_.size(); ++number)
    if (ends_[number]) take(number, ends_[number]->serve(now, own), now);
}

void Peers::on_time(MonoTime now, const std::optional<OwnerEntry>& own) {
  for (std::size_t number = 0; number < ends_.size(); ++number)
    if (ends_[number]) take(number, ends_[number]->on_time(now, own), now);
  std::vector<Change> told;
  merge_.tick(now, told);
  if (options_.merged) say({}, std::move(told));
}

void Peers::take(std::size_t number, std::vector<Change> heard, MonoTime now) {
  std::vector<Change> told;
  const auto publish = ends_[number]->options().publish;
  Payload directory;
  for (const auto& change : heard)
    if (change.topic == directory_topic && change.payload) directory = change.payload;
  merge_.heard(number, options_.merged ? std::move(heard) : heard, told);
  say(publish, options_.merged ? std::move(told) : std::move(heard));
  if (directory) read_directory(number, *directory, now);
}

void Peers::say(const std::string& peer, std::vector<Change> changes) {
  if (!options_.show_directory) std::erase_if(changes, [](const Change& c) { return c.topic == directory_topic; });
  if (!changes.empty() && tell_) tell_(peer, std::move(changes));
}

void Peers::release(const std::string& topic) {
  std::vector<Change> told;
  const auto speaker = merge_.speaker(topic);
  if (!speaker) return;
  merge_.release(topic, told);
  merge_.heard(*speaker, ends_[*speaker]->release(topic), told);
  say(ends_[*speaker]->options().publish, std::move(told));
}

void Peers::set_keys(const KeyPair& keys, const std::function<std::vector<std::string>(const std::string&)>& server_keys_of) {
  options_.keys = keys;
  for (auto& end : ends_)
    if (end) end->set_keys(keys, end->options().dynamic ? end->options().server_keys : server_keys_of(end->options().publish));
}

std::map<std::string, Copy> Peers::copies() const {
  std::map<std::string, Copy> all;
  for (const auto& end : ends_)
    if (end) all[end->options().publish] = end->state().copy();
  return all;
}

// ---- directories

bool Peers::is_new(const OwnerEntry& owner, const std::string& source_name) const {
  if (owner.name == source_name || owner.publish == own_publish_ || owner.name == own_name_) return false;
  return std::none_of(ends_.begin(), ends_.end(), [&](const auto& end) { return end && end->options().publish == owner.publish; });
}

void Peers::read_directory(std::size_t source, const std::string& payload, MonoTime now) {
  const auto& from = *ends_[source];
  if (const auto owners = decode_directory(payload)) follow(*owners, from.state().owner_name(), from.options().publish, now);
}

void Peers::follow(const std::vector<OwnerEntry>& owners, const std::string& source_name, const std::string& source_endpoint, MonoTime now) {
  if (!options_.follow_directory) return;
  for (const auto& owner : owners) {
    const bool safe = !is_tcp(owner.publish) || options_.insecure || (!owner.key.empty() && !options_.keys.secret_key.empty());
    if (!is_new(owner, source_name) || !writes_any(owner, options_.subscriber.classes)) continue;
    if (!safe || !is_reachable(owner, source_endpoint) || !make_room()) {
      ++counters_.turned_away;
      continue;
    }
    PeerEndOptions peer{owner.publish, owner.sync, {}, options_.keys, {}, {}, true};
    if (!owner.key.empty() && is_tcp(owner.publish)) peer.server_keys = {owner.key};
    if (auto known = options_.known.extract(owner.publish)) peer.known = std::move(known.mapped());
    if (!add(std::move(peer), now)) ++counters_.turned_away;
  }
}

bool Peers::make_room() {
  const auto dynamic = std::count_if(ends_.begin(), ends_.end(), [](const auto& end) { return end && end->options().dynamic; });
  if (static_cast<std::size_t>(dynamic) < dynamic_peers_max) return true;
  std::optional<std::size_t> silent;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    if (!ends_[i] || !ends_[i]->options().dynamic || ends_[i]->state().phase() != SubscriberState::Phase::stale) continue;
    const auto& facts = ends_[i]->state().facts();
    const bool missed = std::any_of(facts.begin(), facts.end(), [](const auto& one) { return is_guarded(class_of(one.first)); });
    if (!missed && (!silent || ends_[i]->state().heard_at() < ends_[*silent]->state().heard_at())) silent = i;
  }
  if (!silent) return false;
  std::vector<Change> told;
  merge_.remove(*silent, told);
  const auto publish = ends_[*silent]->options().publish;
  ends_[*silent].reset();
  if (options_.merged) say(publish, std::move(told));
  return true;
}

}  // namespace nlb::bus
