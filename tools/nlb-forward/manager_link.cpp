#include "tools/nlb-forward/manager_link.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/relay/observe.hpp"

namespace nlb::forward {

using cli::Json;

namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::uint64_t memory_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Shares of a second are over the time since the load was last asked for.
class Load {
 public:
  explicit Load(relay::Forwarder& engine) : engine_(engine) {}

  std::string json() {
    const auto now = std::chrono::steady_clock::now();
    const auto status = Json::parse(relay::status_json(engine_, "null", "null", "null"));
    const auto& sessions = status.at("sessions");
    const auto accepted = sessions.value("accepted", std::uint64_t{0});
    const auto cpu = cpu_seconds(), seconds = std::max(1e-3, to_seconds(now - at_));
    std::uint64_t modules = 0, usable = 0;
    for (const auto& service : status.at("services"))
      for (const auto& module : service.at("modules")) ++modules, usable += module.value("state", "") == "up" ? 1 : 0;
    const Json load = {{"sessions", sessions.value("open", std::uint64_t{0})}, {"sessions_waiting", sessions.value("waiting", std::uint64_t{0})},
                       {"sessions_total", accepted}, {"sessions_per_second", static_cast<double>(accepted - accepted_) / seconds},
                       {"cpu_percent", 100 * (cpu - cpu_) / seconds}, {"memory_bytes", memory_bytes()}, {"modules", modules}, {"modules_up", usable}};
    accepted_ = accepted;
    cpu_ = cpu;
    at_ = now;
    return load.dump();
  }

 private:
  relay::Forwarder& engine_;
  std::uint64_t accepted_ = 0;
  double cpu_ = cpu_seconds();
  MonoTime at_ = std::chrono::steady_clock::now();
};

manager::Identity identity_of(const config::Config& config, const std::string& instance, relay::Forwarder& engine) {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  manager::Identity identity{std::string(host), "nlb-forward", {}, config.admin.address ? to_string(*config.admin.address) : "127.0.0.1:8082"};
  for (const auto& listener : engine.listeners().status()) identity.addresses.push_back(listener.address);
  if (!identity.addresses.empty()) identity.balancer += "/" + identity.addresses.front();
  if (!instance.empty()) identity.balancer += "/" + instance;
  return identity;
}

}  // namespace

std::string config_version(const cli::ConfigFile& file) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(name_hash(config::print_config(file.loaded))));
  return text;
}

Result<ManagerLink> ManagerLink::start(const cli::ConfigFile& file, const std::string& instance, relay::Forwarder& engine, daemon::ControlLoop& loop) {
  ManagerLink out;
  if (file.config.manager.url.empty()) return out;
  auto link = manager::Link::start(file.config.manager, identity_of(file.config, instance, engine), config_version(file), loop,
                                   [load = std::make_shared<Load>(engine)] { return load->json(); });
  if (!link) return tl::unexpected(link.error());
  out.link_ = std::move(*link);
  return out;
}

void ManagerLink::reloaded(const cli::ConfigFile& file) {
  if (link_) link_->set_config_version(config_version(file));
}

std::string ManagerLink::status_json() const {
  if (!link_) return "null";
  const auto status = link_->status();
  return Json{{"url", status.url}, {"registered", status.registered}, {"reports", status.reports.good}, {"reports_failed", status.reports.bad},
              {"last_error", status.last_error}}
      .dump();
}

void ManagerLink::add_metrics(metrics::Snapshot& out) const {
  if (!link_) return;
  const auto status = link_->status();
  out.add(metrics::manager_up, {}, status.registered && status.last_error.empty() ? 1 : 0);
  out.add(metrics::manager_reports, {"good"}, status.reports.good);
  out.add(metrics::manager_reports, {"bad"}, status.reports.bad);
}

}  // namespace nlb::forward
