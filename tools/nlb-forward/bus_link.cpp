#include "tools/nlb-forward/bus_link.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/report.hpp"
#include "libnlb/bus/wiring.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "tools/nlb-forward/copy_file.hpp"

namespace nlb::forward {

using daemon::mono_now;
namespace {

namespace log = daemon::log;

constexpr Duration apply_delay = 5ms;    // changes that come together become one table
constexpr Duration save_period = 2s;

}  // namespace

BusLink::BusLink(relay::Forwarder& engine, daemon::ControlLoop& loop, std::string directory)
    : engine_(engine), loop_(loop), directory_(std::move(directory)) {}

BusLink::~BusLink() {
  *alive_ = false;
  if (dirty_) save();
}

Result<std::unique_ptr<BusLink>> BusLink::start(const config::Config& config, const config::Places& places, bool accept_epoch,
                                                relay::Forwarder& engine, daemon::ControlLoop& loop) {
  std::unique_ptr<BusLink> link(new BusLink(engine, loop, places.state + "/" + places.tool));
  if (auto opened = link->open(config, places, accept_epoch); !opened) return tl::unexpected(opened.error());
  return link;
}

// What it publishes, if it can: a directory that another process has, or that can't be written, is no reason not to route.
Result<> BusLink::own(const config::Config& config, const config::Places& places, bus::Options& options) {
  auto lock = bus::DirectoryLock::take(directory_);
  if (!lock) {
    log::warning("publishing nothing on the bus", {{"reason", lock.error().text}});
    return {};
  }
  lock_ = std::make_unique<bus::DirectoryLock>(std::move(*lock));
  const auto epoch = bus::next_epoch(directory_, daemon::unix_us());
  if (!epoch) return tl::unexpected(epoch.error());
  const auto id = bus::owner_id(directory_, mix64(*epoch ^ static_cast<std::uint64_t>(getpid())));
  if (!id) return tl::unexpected(id.error());
  const auto owner = bus::name_of(config, places, "forward");
  const auto name = owner.substr(owner.find('/') + 1);
  facts_.set_name(name);
  if (options.publish.empty()) return {};
  options.owner = bus::OwnerOptions{.id = *id, .name = owner, .epoch = *epoch};
  publisher_ = std::make_unique<Publisher>(name, daemon::unix_us());
  return {};
}

Result<> BusLink::open(const config::Config& config, const config::Places& places, bool accept_epoch) {
  auto options = bus::wire(config, places, "forward");
  if (!options) return tl::unexpected(options.error());
  options->subscriber.accept_any_epoch = accept_epoch;
  if (auto owns = own(config, places, *options); !owns) return owns;
  auto known = lock_ ? load_copies(directory_ + "/bus.copy", mono_now()) : Result<Copies>(Copies{});
  if (!known) log::warning(known.error().text, {{"file", directory_ + "/bus.copy"}});
  else options->known = std::move(*known);
  for (auto& peer : options->peers)
    if (auto copy = options->known.extract(peer.publish)) peer.known = std::move(copy.mapped());

  auto started = bus::Bus::start(std::move(*options), [this, alive = alive_](bus::PeerChange change) {
    loop_.post([this, alive, change = std::move(change)] {
      if (*alive) take(change);
    });
  });
  if (!started) return tl::unexpected(started.error());
  bus_ = std::move(*started);
  if (bus_->status().open_to_strangers)
    log::warning("the bus is bound to tcp without keys: whoever reaches it reads it (security.insecure)", {{"bus", bus_->status().publish}});
  quarantine_ = std::make_unique<Quarantine>(loop_, [this](const std::string& topic) { static_cast<void>(bus_->release(topic)); });
  for (const auto& change : bus_->known()) {
    std::string problem;
    facts_.apply(change, problem);
  }
  quarantine_->follow(facts_);
  if (auto applied = engine_.set_remote(facts_.remote()); !applied) log::warning("the saved copy can't be applied", {{"reason", applied.error().text}});
  second_timer_ = loop_.every(1s, [this] { every_second(); });
  save_timer_ = loop_.every(save_period, [this] {
    if (dirty_ || epochs() != saved_epochs_) save();
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
  quarantine_->follow(facts_);
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

// What an operator has to know: somebody speaks as an owner, but from the past.
void BusLink::warn() {
  std::uint64_t refused = 0;
  std::string who;
  for (const auto& peer : bus_->status().peers) {
    refused += peer.counters.refused_epoch;
    if (peer.counters.refused_epoch > 0) who = peer.peer;
  }
  if (refused <= warned_epochs_ * 2) return;         // at first, and whenever it has doubled
  warned_epochs_ = refused;
  log::warning("an owner speaks with an epoch below the one known of it and is refused: an impostor, or its disk was lost and its clock is "
               "behind: then start nlb-forward once with --accept-epoch",
               {{"peer", who}, {"messages", refused}});
}

void BusLink::every_second() {
  warn();
  if (!publisher_) return;
  if (split_dirty_) save();   // what is acknowledged below is what a restart comes back with
  for (auto& message : publisher_->collect(engine_, facts_, mono_now())) bus_->publish(std::move(message.topic), std::move(message.payload));
}

// Kept with the copy even when nothing else has changed: what is older than the owner's last life is refused after a restart, too.
std::vector<std::uint64_t> BusLink::epochs() const {
  std::vector<std::uint64_t> all;
  for (const auto& peer : bus_->status().peers) all.push_back(peer.epoch);
  return all;
}

void BusLink::save() {
  if (!lock_ || !bus_) return;
  dirty_ = split_dirty_ = false;
  saved_epochs_ = epochs();
  if (auto saved = save_copies(directory_ + "/bus.copy", bus_->copies(), mono_now()); !saved) {
    dirty_ = true;
    log::warning("the copy of the bus can't be saved: a restart would begin without it", {{"reason", saved.error().text}});
  }
}

std::string BusLink::status_json() const {
  auto all = nlohmann::ordered_json::parse(bus::status_json(bus_->status()));
  all["modules"] = facts_.modules();
  all["splits"] = facts_.splits().size();
  all["refused"] = refused_;
  all["quarantined"] = facts_.quarantined();
  all["quarantine_dropped"] = quarantine_->released();
  return all.dump();
}

void BusLink::add_metrics(metrics::Snapshot& out) const {
  bus::add_metrics(out, bus_->status());
  out.add(metrics::bus_rejected, {"facts"}, refused_);
}

}  // namespace nlb::forward
