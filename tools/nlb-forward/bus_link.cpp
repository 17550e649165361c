#include "tools/nlb-forward/bus_link.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "tools/nlb-forward/copy_file.hpp"

namespace nlb::forward {

using daemon::mono_now;
namespace {

namespace log = daemon::log;

constexpr Duration apply_delay = 5ms;    // changes that come together become one table
constexpr Duration save_period = 2s;

std::uint64_t unix_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "forwarder";
}

// A file name for a publish endpoint's directory: an ipc socket needs its folder.
void make_ipc_folder(const std::string& endpoint) {
  if (!endpoint.starts_with("ipc:///")) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(endpoint.substr(6)).parent_path(), ignored);
}

std::vector<std::string> peers_of(const config::Config& config, const config::Places& places) {
  if (!config.bus.subscribe.empty()) return config.bus.subscribe;
  std::vector<std::string> peers;
  for (const char* tool : {"registry", "deploy", "scale"}) peers.push_back("ipc://" + places.runtime + "/" + tool + ".bus");
  return peers;
}

}  // namespace

BusLink::BusLink(relay::Forwarder& engine, daemon::ControlLoop& loop, std::string directory)
    : engine_(engine), loop_(loop), directory_(std::move(directory)) {}

BusLink::~BusLink() {
  *alive_ = false;
  if (dirty_) save();
}

Result<std::unique_ptr<BusLink>> BusLink::start(const config::Config& config, const config::Places& places, relay::Forwarder& engine,
                                                daemon::ControlLoop& loop) {
  std::unique_ptr<BusLink> link(new BusLink(engine, loop, places.state + "/" + places.tool));
  if (auto opened = link->open(config, places); !opened) return tl::unexpected(opened.error());
  return link;
}

Result<> BusLink::open(const config::Config& config, const config::Places& places) {
  bus::Options options;
  options.subscriber.classes = {"drains", "modules", "splits"};
  options.insecure = config.security.insecure;
  options.allowed_keys_dir = config.bus.curve_allowed_keys_dir;
  if (!config.bus.curve_secret_key_file.empty()) {
    auto keys = bus::load_keys(config.bus.curve_secret_key_file);
    if (!keys) return tl::unexpected(keys.error());
    options.keys = *keys;
  }
  std::string server_key;
  if (!config.bus.curve_server_key_file.empty()) {
    auto key = bus::load_public_key(config.bus.curve_server_key_file);
    if (!key) return tl::unexpected(key.error());
    server_key = *key;
  }

  auto lock = bus::DirectoryLock::take(directory_);
  if (lock) {
    lock_ = std::make_unique<bus::DirectoryLock>(std::move(*lock));
    auto epoch = bus::next_epoch(directory_, unix_us());
    if (!epoch) return tl::unexpected(epoch.error());
    const auto name = config.bus.name.empty() ? host_name() + "-" + places.tool : config.bus.name;
    options.owner = bus::OwnerOptions{.id = mix64(*epoch ^ static_cast<std::uint64_t>(getpid())), .name = "forward/" + name, .epoch = *epoch};
    options.publish = config.bus.publish;
    make_ipc_folder(options.publish);
    publisher_ = std::make_unique<Publisher>(name, unix_us());
    facts_.set_name(name);
  } else {
    log::warning("publishing nothing on the bus", {{"reason", lock.error().text}});
  }
  if (options.publish.empty()) {
    options.owner.reset();
    publisher_.reset();
  }

  auto known = lock_ ? load_copies(directory_ + "/bus.copy", mono_now()) : Result<Copies>(Copies{});
  if (!known) log::warning(known.error().text, {{"file", directory_ + "/bus.copy"}});
  for (const auto& peer : peers_of(config, places)) {
    bus::PeerOptions one{peer, {}, server_key, {}};
    if (known && known->contains(peer)) one.known = known->at(peer);
    for (const auto& [topic, fact] : one.known.facts) {
      std::string problem;
      facts_.apply({bus::Change::Kind::put, topic, fact.payload, one.known.epoch, one.known.owner, fact.made_at}, problem);
    }
    options.peers.push_back(std::move(one));
  }
  if (auto applied = engine_.set_remote(facts_.remote()); !applied) log::warning("the saved copy can't be applied", {{"reason", applied.error().text}});

  auto started = bus::Bus::start(std::move(options), [this, alive = alive_](bus::PeerChange change) {
    loop_.post([this, alive, change = std::move(change)] {
      if (*alive) take(change);
    });
  });
  if (!started) return tl::unexpected(started.error());
  bus_ = std::move(*started);
  second_timer_ = loop_.every(1s, [this] { every_second(); });
  save_timer_ = loop_.every(save_period, [this] {
    if (dirty_) save();
  });
  return {};
}

void BusLink::take(const bus::PeerChange& change) {
  bool changed = false;
  for (const auto& one : change.changes) {
    std::string problem;
    changed |= facts_.apply(one, problem);
    dirty_ = true;
    split_dirty_ |= bus::class_of(one.topic) == "splits";
    if (problem.empty()) continue;
    ++refused_;
    log::warning("a fact from the bus was refused: the last good one stays", {{"peer", change.peer}, {"reason", problem}});
  }
  if (changed) apply_soon();
}

void BusLink::apply_soon() {
  if (apply_timer_) return;
  apply_timer_ = loop_.after(apply_delay, [this] {
    apply_timer_.reset();
    if (auto applied = engine_.set_remote(facts_.remote()); !applied)
      log::error("what the bus says can't be applied: the last good table stays", {{"reason", applied.error().text}});
  });
}

void BusLink::every_second() {
  if (!publisher_) return;
  if (split_dirty_) save();   // what is acknowledged below is what a restart comes back with
  for (auto& message : publisher_->collect(engine_, facts_, mono_now())) bus_->publish(std::move(message.topic), std::move(message.payload));
}

void BusLink::save() {
  if (!lock_ || !bus_) return;
  dirty_ = split_dirty_ = false;
  if (auto saved = save_copies(directory_ + "/bus.copy", bus_->copies(), mono_now()); !saved) {
    dirty_ = true;
    log::warning("the copy of the bus can't be saved: a restart would begin without it", {{"reason", saved.error().text}});
  }
}

std::string BusLink::status_json() const {
  using Json = nlohmann::ordered_json;
  const auto status = bus_->status();
  Json peers = Json::array();
  for (const auto& peer : status.peers)
    peers.push_back({{"peer", peer.peer}, {"owner", peer.owner_name}, {"live", peer.phase == bus::SubscriberState::Phase::live},
                     {"epoch", peer.epoch}, {"age_seconds", to_seconds(peer.age)}, {"facts", peer.facts}, {"quarantined", peer.quarantined},
                     {"gaps", peer.counters.gaps}, {"syncs", peer.counters.syncs}});
  const Json all = {{"publish", status.publish}, {"epoch", status.epoch}, {"published", status.published}, {"modules", facts_.modules()},
                    {"splits", facts_.splits().size()}, {"refused", refused_}, {"peers", std::move(peers)}};
  return all.dump();
}

void BusLink::add_metrics(metrics::Snapshot& out) const {
  const auto status = bus_->status();
  for (const auto& peer : status.peers) {
    const auto owner = peer.owner_name.empty() ? peer.peer : peer.owner_name;
    const auto of = [&](const char* tool) { return peer.peer.find(tool) != std::string::npos; };
    const std::string topic = of("deploy") ? "splits" : of("scale") ? "drains" : "modules";
    out.add(metrics::bus_age, {topic, owner}, to_seconds(peer.age));
    out.add(metrics::bus_gaps, {topic, owner}, peer.counters.gaps);
  }
  out.add(metrics::bus_dropped, {"all"}, status.slow_subscriber_drops);
  out.add(metrics::bus_rejected, {"fence"}, status.fence_refused);
  out.add(metrics::bus_rejected, {"facts"}, refused_);
}

}  // namespace nlb::forward
