#include "libnlb/deploy/engine.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/report.hpp"
#include "libnlb/bus/wiring.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/folder.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/store/identity.hpp"
#include "libnlb/store/open.hpp"

namespace nlb::deploy {

using daemon::mono_now;
namespace {

namespace log = daemon::log;

std::string machine() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Result<std::vector<Endpoint>> parse_addresses(const std::string& text) {
  std::vector<Endpoint> all;
  for (std::size_t from = 0; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    auto address = parse_endpoint(text.substr(from, comma - from));
    if (!address) return fail(ErrorKind::config, "deploy.grpc: " + address.error().text);
    all.push_back(std::move(*address));
    from = comma + 1;
  }
  return all;
}

Engine::Engine(config::Config config, EngineOptions options, daemon::ControlLoop& loop)
    : config_(std::move(config)), options_(std::move(options)), loop_(loop) {
  if (options_.name.empty()) options_.name = config_.store.etcd_endpoints.empty() ? machine() : config_.deploy.grpc;   // a follower says whom to ask
}

Engine::~Engine() { stop(); }

Result<std::unique_ptr<Engine>> Engine::start(config::Config config, EngineOptions options, daemon::ControlLoop& loop) {
  std::unique_ptr<Engine> made(new Engine(std::move(config), std::move(options), loop));
  if (auto opened = made->open(); !opened) return tl::unexpected(opened.error());
  return made;
}

Result<> Engine::open() {
  auto lock = bus::DirectoryLock::take(options_.state_directory);
  if (!lock) return tl::unexpected(lock.error());
  lock_.emplace(std::move(*lock));
  auto store = store::open_store(config_.store, "deploy", config_.security.tls);
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  if (config_.store.etcd_endpoints.empty()) {
    const auto unix_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto epoch = bus::next_epoch(options_.state_directory, static_cast<std::uint64_t>(unix_us));
    if (!epoch) return tl::unexpected(epoch.error());
    if (auto leading = lead(*epoch, std::nullopt); !leading) return leading;
  } else {
    election_ = std::make_unique<store::Election>(*store_, store::ElectionOptions{"leader", options_.name, config_.store.etcd_lease});
    campaign();
    campaigner_ = loop_.every(config_.store.etcd_lease / 4, [this] { campaign(); });
  }
  ticker_ = loop_.every(std::chrono::seconds(1), [this] { tick(); });
  return start_servers();
}

Settings Engine::settings(std::uint64_t epoch, std::optional<store::Condition> fence) const {
  Settings made;
  made.judge.alpha = config_.deploy.judge.alpha;
  made.judge.tolerated_ratio = config_.deploy.judge.tolerated_ratio;
  made.judge.signals = rollout::default_signals();
  made.keep_warm = config_.deploy.keep_warm;
  made.epoch = epoch;
  made.fence = std::move(fence);
  made.random = random_number;
  made.wall = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
  return made;
}

Result<> Engine::start_bus(std::uint64_t epoch) {
  const auto owner = store::identity(*store_);
  if (!owner) return tl::unexpected(owner.error());
  const config::Places places{options_.runtime_directory, {}, "deploy"};
  auto options = bus::wire(config_, places, "deploy");
  if (!options) return tl::unexpected(options.error());
  options->owner = bus::OwnerOptions{.id = *owner, .name = bus::name_of(config_, places, "deploy"), .epoch = epoch, .elected = true};
  auto started = bus::Bus::start(std::move(*options), [this](bus::PeerChange change) {
    loop_.post([this, change = std::move(change)] {
      if (!controller_) return;
      for (const auto& each : change.changes) controller_->hear(each, mono_now());
    });
  });
  if (!started) return tl::unexpected(started.error());
  bus_ = std::move(*started);
  return {};
}

Result<> Engine::lead(std::uint64_t epoch, std::optional<store::Condition> fence) {
  if (auto started = start_bus(epoch); !started) return started;
  Outlet outlet;
  const auto say = [](const Result<>& done) {
    if (!done) log::error("the bus refuses a message", {{"reason", done.error().text}});
  };
  outlet.publish = [this, say](const std::string& topic, const std::string& payload) { say(bus_->publish(topic, payload)); };
  outlet.withdraw = [this, say](const std::string& topic) { say(bus_->withdraw(topic)); };
  outlet.announce = [this, say](const std::string& service, const std::string& text) {
    log::info("rollout", {{"service", service}, {"what", text}});
    v1::Event event;
    event.set_daemon("deploy");
    event.set_kind("rollout");
    event.set_text(service + ": " + text);
    event.set_severity(text == "rolled_back" ? "warning" : "info");
    event.set_service(service);
    event.set_at_unix_ms(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
    event.set_number(++events_);
    say(bus_->publish("events", event.SerializeAsString()));
  };
  auto opened = Controller::open(*store_, settings(epoch, std::move(fence)), std::move(outlet), mono_now());
  if (!opened) {
    bus_.reset();
    return tl::unexpected(opened.error());
  }
  controller_ = std::move(*opened);
  const std::lock_guard lock(mutex_);
  leader_ = options_.name;
  return {};
}

void Engine::depose(const std::string& why) {
  if (!controller_) return;
  log::warning("this controller no longer leads", {{"reason", why}});
  controller_.reset();
  bus_.reset();
  pulse_.beat();
}

// A new leader under each token: what an old one knew is read again from the store.
void Engine::campaign() {
  const auto notice = election_->tick();
  if (notice == store::Election::Notice::lost) depose("its lease has ended");
  if (notice == store::Election::Notice::won) {
    log::info("this controller leads", {{"epoch", election_->token()}});
    if (auto leading = lead(static_cast<std::uint64_t>(election_->token()), election_->fence()); !leading) {
      log::error("this controller can't lead", {{"reason", leading.error().text}});
      (void)election_->resign();
    }
  }
  if (controller_) return;
  const auto leader = election_->leader();
  const std::lock_guard lock(mutex_);
  leader_ = leader && *leader ? (*leader)->value : std::string();
}

void Engine::tick() {
  if (!controller_) return;
  if (election_ && !election_->leads()) return depose("its lease has ended");
  const auto done = controller_->tick(mono_now());
  if (!done && done.error().kind == ErrorKind::conflict) return depose(done.error().text);
  const auto trouble = done ? std::string() : done.error().text;
  if (trouble != trouble_) {
    if (trouble.empty()) log::info("the store takes changes again");
    else log::error("the store refuses changes: no rollout moves until it takes them", {{"reason", trouble}});
  }
  trouble_ = trouble;
  pulse_.beat();
}

Result<> Engine::start_servers() {
  auto keys = rpc::ApiKeys::gather(config_.security.api_key_file);
  if (!keys) return tl::unexpected(keys.error());
  keys_ = std::make_shared<rpc::ApiKeys>();
  keys_->set(*keys);
  const auto& tls = config_.security.tls;
  if (!tls.certificate.empty()) {
    auto loaded = rpc::Certificates::load(tls);
    if (!loaded) return tl::unexpected(loaded.error());
    certificates_ = std::move(*loaded);
  }
  auto addresses = parse_addresses(config_.deploy.grpc);
  if (!addresses) return tl::unexpected(addresses.error());
  Service::Owner owner;
  owner.post = [this](Service::Work work) { loop_.post([this, work = std::move(work)] { work(controller_.get(), mono_now()); }); };
  owner.leader = [this] { return leader(); };
  for (const auto& address : *addresses) {
    const bool local = address.kind == Endpoint::Kind::unix_path;
    if (local)
      if (auto made = daemon::make_folder_of(address.host); !made) return made;
    if (!local && !certificates_ && !config_.security.insecure)
      return fail(ErrorKind::refused, "listen on " + to_string(address) + ": TCP needs mTLS: set security.tls.certificate, key and client_ca, or security.insecure");
    if (!local && certificates_ && !certificates_->mutual() && !config_.security.insecure)
      return fail(ErrorKind::refused, "listen on " + to_string(address) + ": callers would not be known: set security.tls.client_ca, or security.insecure");
    const bool mutual = !local && certificates_ && certificates_->mutual();
    services_.push_back(std::make_unique<Service>(owner, pulse_, std::make_shared<rpc::Door>(keys_, mutual)));
    auto server = rpc::Server::start({address, local ? nullptr : certificates_, config_.security.insecure}, {services_.back().get()});
    if (!server) return tl::unexpected(server.error());
    (*server)->set_serving(true);
    log::info("listening", {{"grpc", to_string((*server)->address())}});
    servers_.push_back(std::move(*server));
  }
  return {};
}

void Engine::stop() {
  pulse_.end();
  ticker_.reset();
  campaigner_.reset();
  for (auto& server : servers_) server->shutdown(std::chrono::milliseconds(200));
  servers_.clear();
  if (controller_)
    if (auto saved = controller_->save(mono_now()); !saved) log::warning("the judges' newest evidence could not be saved", {{"reason", saved.error().text}});
  controller_.reset();
  bus_.reset();
  if (election_) (void)election_->resign();
  election_.reset();
}

std::string Engine::leader() const {
  const std::lock_guard lock(mutex_);
  return leader_;
}

std::string Engine::not_ready() const {
  if (!controller_) return leader().empty() ? "no controller leads" : "follows " + leader();
  return trouble_.empty() ? std::string() : "the store refuses changes: " + trouble_;
}

Result<> Engine::reload(const config::Config& config) {
  auto keys = rpc::ApiKeys::gather(config.security.api_key_file);
  if (!keys) return tl::unexpected(keys.error());
  if (certificates_)
    if (auto fresh = certificates_->reload(config.security.tls); !fresh) return fresh;
  keys_->set(*keys);
  if (bus_)
    if (auto fresh = bus_->reload_keys(); !fresh) return fresh;
  config_.deploy.judge = config.deploy.judge;
  config_.deploy.keep_warm = config.deploy.keep_warm;
  if (controller_) controller_->adopt(settings(0, std::nullopt));
  return {};
}

std::string Engine::metrics_text() const {
  metrics::Snapshot snapshot;
  snapshot.add(metrics::leader, {}, leads() ? 1 : 0);
  if (controller_) controller_->collect(snapshot);
  if (bus_) bus::add_metrics(snapshot, bus_->status());
  return metrics::exposition(snapshot);
}

std::string Engine::status_json() const {
  if (controller_) return bus::with_bus(controller_->status_json(mono_now()), bus_.get());
  return bus::with_bus("{\"tool\":\"nlb-deploy\",\"version\":\"" NLB_VERSION "\",\"leader\":" + nlohmann::json(leader()).dump() + ",\"services\":[]}", nullptr);
}

}  // namespace nlb::deploy
