#include "tools/nlb-scale/leader.hpp"

#include <filesystem>

#include "libnlb/bus/report.hpp"
#include "libnlb/bus/state_dir.hpp"
#include "libnlb/bus/wiring.hpp"
#include "libnlb/daemon/folder.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/store/identity.hpp"
#include "libnlb/store/open.hpp"

namespace nlb::tool {
namespace {

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

Result<std::unique_ptr<Leader>> Leader::try_start(const cli::ConfigFile& file, daemon::ControlLoop& loop, bool lines_on_stdin) {
  const auto& path = file.config.store.sqlite;
  if (auto made = daemon::make_folder_of(path); !made) return tl::unexpected(made.error());
  auto lock = store::FileLock::take(path + ".leader");
  if (!lock) return fail(std::filesystem::exists(path + ".leader") ? ErrorKind::not_found : lock.error().kind, lock.error().text);
  std::unique_ptr<Leader> leader(new Leader(loop));
  leader->lock_.emplace(std::move(*lock));
  auto opened = store::open_store(file.config.store, "scale");
  if (!opened) return tl::unexpected(opened.error());
  leader->store_ = std::move(*opened);
  const auto folder = folder_of(path) + "/scale-bus";
  if (auto made = daemon::make_folder_of(folder + "/lock"); !made) return tl::unexpected(made.error());
  const auto epoch = bus::next_epoch(folder, static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1)));
  if (!epoch) return tl::unexpected(epoch.error());
  if (auto started = leader->start(file, lines_on_stdin, std::nullopt, *epoch); !started) return tl::unexpected(started.error());
  return leader;
}

Result<std::unique_ptr<Leader>> Leader::start_elected(const cli::ConfigFile& file, daemon::ControlLoop& loop, bool lines_on_stdin,
                                                      std::shared_ptr<store::Store> store, store::Condition fence) {
  std::unique_ptr<Leader> leader(new Leader(loop));
  leader->store_ = std::move(store);
  const auto epoch = static_cast<std::uint64_t>(fence.revision);
  if (auto started = leader->start(file, lines_on_stdin, std::move(fence), epoch); !started) return tl::unexpected(started.error());
  return leader;
}

Result<> Leader::start(const cli::ConfigFile& file, bool lines_on_stdin, std::optional<store::Condition> fence, std::uint64_t epoch) {
  Publisher publisher{[this](std::string topic, std::string payload) {
                        if (bus_)
                          if (const auto sent = bus_->publish(std::move(topic), std::move(payload)); !sent) daemon::log::warning(sent.error().text);
                      },
                      [this](std::string topic) {
                        if (bus_) static_cast<void>(bus_->withdraw(std::move(topic)));
                      }};
  controller_ = std::make_unique<Controller>(file, loop_, *store_, std::move(fence), epoch, std::move(publisher));
  if (auto started = start_bus(file, epoch); !started) return started;
  if (auto started = controller_->start(*store_); !started) return started;
  start_exporters(file.config);
  const auto controller = [self = self_]() -> Controller* { return *self == nullptr ? nullptr : (*self)->controller_.get(); };
  if (lines_on_stdin) lines_ = std::make_unique<LinesIn>(0, loop_, controller);
  auto server = ScaleServer::start(file.config.scale.grpc, file.config.security.insecure, loop_, controller);
  if (!server) return tl::unexpected(server.error());
  server_ = std::move(*server);
  return {};
}

Result<> Leader::start_bus(const cli::ConfigFile& file, std::uint64_t epoch) {
  const auto owner = store::identity(*store_);
  if (!owner) return tl::unexpected(owner.error());
  const auto places = cli::places_of("scale");
  auto options = bus::wire(file.config, places, "scale");
  if (!options) return tl::unexpected(options.error());
  options->owner = bus::OwnerOptions{.id = *owner, .name = bus::name_of(file.config, places, "scale"), .epoch = epoch, .elected = true};
  auto started = bus::Bus::start(std::move(*options), [self = self_, &loop = loop_](bus::PeerChange change) {
    loop.post([self, change = std::move(change)] {
      if (*self != nullptr) (*self)->controller_->on_bus(change);
    });
  });
  if (!started) return tl::unexpected(started.error());
  bus_ = std::move(*started);
  return {};
}

void Leader::start_exporters(const config::Config& config) {
  exporters_ = std::make_unique<Exporters>(config.scale.prometheus, config.scale.interval, loop_,
                                           [self = self_]() -> Controller* { return *self == nullptr ? nullptr : (*self)->controller_.get(); });
}

std::string Leader::status_json() const { return bus::with_bus(controller_->status_json(), bus_.get()); }

std::string Leader::metrics_text() const {
  metrics::Snapshot out;
  controller_->collect(out);
  bus::add_metrics(out, bus_->status());
  return metrics::exposition(out);
}

Result<> Leader::reload(const cli::ConfigFile& file) {
  if (auto done = bus_->reload_keys(); !done) return done;
  if (auto done = controller_->reload(file); !done) return done;
  start_exporters(file.config);
  return {};
}

Leader::~Leader() {
  *self_ = nullptr;
  server_.reset();
  lines_.reset();
  exporters_.reset();
  controller_.reset();         // saves
  bus_.reset();
}

}  // namespace nlb::tool
