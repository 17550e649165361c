#include "tools/nlb-registry/service.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <future>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "libnlb/bus/wiring.hpp"
#include "libnlb/cli/config_file.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/folder.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/store/identity.hpp"
#include "libnlb/store/open.hpp"

namespace nlb::registrar {

namespace {

constexpr Duration end_patience = std::chrono::seconds(1);

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return seed;
}

// Greater than every epoch before it as long as the store lives, and by the clock when it doesn't.
Result<std::uint64_t> next_epoch(store::Store& store) {
  auto entry = store.get("epoch");
  if (!entry) return tl::unexpected(entry.error());
  std::uint64_t stored = 0;
  if (*entry) std::from_chars((*entry)->value.data(), (*entry)->value.data() + (*entry)->value.size(), stored);
  const auto epoch = std::max(stored + 1, daemon::unix_us());
  if (auto put = store.put("epoch", std::to_string(epoch)); !put) return tl::unexpected(put.error());
  return epoch;
}

}  // namespace

Result<std::unique_ptr<Service>> Service::start(const config::Config& config, daemon::ControlLoop& loop) {
  std::unique_ptr<Service> service(new Service(config, loop));
  if (auto opened = service->open(); !opened) {
    service->stop();
    return tl::unexpected(opened.error());
  }
  return service;
}

Service::~Service() { stop(); }

Result<> Service::open() {
  auto store = store::open_store(config_.store, "registry", config_.security.tls);
  if (!store) return tl::unexpected(store.error());
  keeper_ = std::make_unique<Keeper>(std::move(*store));
  engine_ = std::make_unique<Engine>(loop_, config_, *keeper_, random_seed());
  engine_->set_publish([this](std::string topic, std::string payload) { publish(std::move(topic), std::move(payload)); });
  if (auto ok = open_doors(); !ok) return ok;
  if (config_.store.etcd_endpoints.empty()) return lead_alone();
  campaign();
  return {};
}

Result<> Service::open_doors() {
  auto keys = rpc::ApiKeys::gather(config_.security.api_key_file);
  if (!keys) return tl::unexpected(keys.error());
  keys_->set(*keys);
  if (!config_.security.tls.certificate.empty()) {
    auto loaded = rpc::Certificates::load(config_.security.tls);
    if (!loaded) return tl::unexpected(loaded.error());
    certificates_ = std::move(*loaded);
  }
  const auto door = std::make_shared<rpc::Door>(keys_, certificates_ && certificates_->mutual());
  calls_ = std::make_unique<rpc::RegistryService>(door, engine_->handlers());
  if (config_.registry.grpc.kind == Endpoint::Kind::unix_path)
    if (auto made = daemon::make_folder_of(config_.registry.grpc.host); !made) return made;
  auto server = rpc::Server::start({config_.registry.grpc, certificates_, config_.security.insecure}, {calls_.get()});
  if (!server) return tl::unexpected(server.error());
  server_ = std::move(*server);
  daemon::log::info("listening", {{"grpc", to_string(server_->address())}, {"tls", certificates_ != nullptr}, {"api_key", !keys_->empty()}});
  if (server_->plain_to_strangers()) daemon::log::warning("gRPC without TLS is open to other machines (--insecure)", {{"grpc", to_string(server_->address())}});
  return {};
}

// ---- leading

Result<> Service::lead_alone() {
  const auto epoch = next_epoch(keeper_->store());
  if (!epoch) return tl::unexpected(epoch.error());
  std::promise<Result<std::vector<registry::Stored>>> loaded;
  keeper_->load(std::nullopt, [&](Result<std::vector<registry::Stored>> all) { loaded.set_value(std::move(all)); });
  auto known = loaded.get_future().get();
  if (!known) return tl::unexpected(known.error());
  const auto owner = store::identity(keeper_->store());
  if (!owner) return tl::unexpected(owner.error());
  owner_id_ = *owner;
  if (auto ok = open_bus(*epoch); !ok) return ok;
  lead(*epoch, std::move(*known));
  return {};
}

void Service::campaign() {
  campaign_ = std::make_unique<store::Campaign>(
      keeper_->store(), store::ElectionOptions{"leader", to_string(server_->address()), config_.store.etcd_lease},
      [this](const store::Leadership& leadership) { loop_.post([this, leadership] { on_leadership(leadership); }); });
  engine_->set_lease([this] { return campaign_ && campaign_->now().leads; });
  leader_timer_ = loop_.every(1s, [this] { look_for_leader(); });
}

void Service::on_leadership(const store::Leadership& leadership) {
  if (ending_) return;                     // a lease that ends, or is won, while the doors are closing: there is nobody left to tell
  if (!leadership.leads) {
    server_->set_serving(false);
    engine_->step_down({});
    bus_.reset();                          // an owner that doesn't lead says nothing, not even that it lives
    return;
  }
  keeper_->load(leadership.fence, [this, fence = leadership.fence](Result<std::vector<registry::Stored>> known) {
    const auto owner = known ? store::identity(keeper_->store()) : tl::unexpected(known.error());      // on the keeper's thread
    if (known && !owner) known = tl::unexpected(owner.error());
    loop_.post([this, fence, owner = owner.value_or(0), known = std::move(known)]() mutable {
      if (ending_ || !campaign_->now().leads || campaign_->now().fence.revision != fence.revision) return;
      if (!known) {
        daemon::log::error("the store can't be read; trying again", {{"reason", known.error().text}});
        load_timer_ = loop_.after(500ms, [this, fence] { on_leadership({true, fence}); });
        return;
      }
      const auto epoch = static_cast<std::uint64_t>(fence.revision);
      owner_id_ = owner;
      if (auto opened = open_bus(epoch); !opened) daemon::log::error("the bus can't be opened", {{"reason", opened.error().text}});
      lead(epoch, std::move(*known));
    });
  });
}

void Service::look_for_leader() {
  if (engine_->in_term()) return;
  keeper_->look("leader", [this](std::string leader) {
    loop_.post([this, leader = std::move(leader)] {
      if (!engine_->in_term()) engine_->step_down(leader);
    });
  });
}

void Service::lead(std::uint64_t epoch, std::vector<registry::Stored> known) {
  engine_->lead(epoch, std::move(known));
  server_->set_serving(true);
  server_->set_serving("nlb.v1.NLBService", true);
}

// ---- the bus

Result<> Service::open_bus(std::uint64_t epoch) {
  bus_.reset();                            // an older epoch's sockets are closed before the new ones are bound
  const auto places = cli::places_of("registry");
  auto options = bus::wire(config_, places, "registry");      // reads traffic, for the sessions that modules have
  if (!options) return tl::unexpected(options.error());
  options->owner = bus::OwnerOptions{.id = owner_id_, .name = bus::name_of(config_, places, "registry"), .epoch = epoch};
  options->keeps_directory = true;
  auto started = bus::Bus::start(std::move(*options), [this](bus::PeerChange change) {
    loop_.post([this, change = std::move(change)] { engine_->heard(change); });
  });
  if (!started) return tl::unexpected(started.error());
  bus_ = std::move(*started);
  daemon::log::info("publishing", {{"bus", bus_->status().publish}, {"epoch", epoch}});
  return {};
}

void Service::publish(std::string topic, std::string payload) {
  if (!bus_ || !engine_->leading()) return;
  const auto done = payload.empty() ? bus_->withdraw(std::move(topic)) : bus_->publish(std::move(topic), std::move(payload));
  if (!done) daemon::log::error("publish", {{"reason", done.error().text}});
}

// ---- change and end

Result<> Service::reload(const config::Config& config) {
  auto keys = rpc::ApiKeys::gather(config.security.api_key_file);
  if (!keys) return ++reloads_refused, tl::unexpected(keys.error());
  if (keys->empty() != keys_->empty())
    return ++reloads_refused, fail(ErrorKind::config, "security.api_key_file can't be switched on or off while running: restart");
  if (certificates_)
    if (auto ok = certificates_->reload(config.security.tls); !ok) return ++reloads_refused, ok;
  if (bus_)
    if (auto ok = bus_->reload_keys(); !ok) return ++reloads_refused, ok;
  keys_->set(*keys);
  engine_->reload(config);
  ++reloads;
  return {};
}

void Service::stop() {
  ending_ = true;
  leader_timer_.reset();
  load_timer_.reset();
  if (server_) {
    server_->set_serving(false);
    engine_->stop();
    std::atomic<bool> over = false;
    std::thread ender([&] {
      server_->shutdown(end_patience);
      over = true;
    });
    while (!over) {                        // open calls are answered by this loop, so it has to run on
      loop_.native().restart();
      loop_.native().run_for(std::chrono::milliseconds(5));
    }
    ender.join();
  }
  campaign_.reset();                       // resigns: the next registry needn't wait for the lease
  bus_.reset();
  if (keeper_) keeper_->finish();          // its answers may still want the engine
  loop_.native().restart();
  loop_.native().poll();
  server_.reset();
  calls_.reset();
  engine_.reset();
  keeper_.reset();
}

}  // namespace nlb::registrar
