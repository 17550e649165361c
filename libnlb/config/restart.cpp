#include "libnlb/config/restart.hpp"

#include <tuple>

namespace nlb::config {
namespace {

std::string text_of(const std::optional<Endpoint>& endpoint) { return endpoint ? to_string(*endpoint) : std::string(); }
auto store_of(const Config& c) { return std::tie(c.store.sqlite, c.store.etcd_endpoints, c.store.etcd_prefix, c.store.etcd_lease); }
auto bus_of(const Config& c) {
  return std::tie(c.bus.name, c.bus.publish, c.bus.subscribe, c.bus.curve_secret_key_file, c.bus.curve_allowed_keys_dir, c.bus.curve_server_key_file);
}

}  // namespace

std::vector<std::string> keys_for_restart(const Config& running, const Config& fresh) {
  const std::pair<const char*, bool> changed[] = {
      {"admin.address", text_of(running.admin.address) != text_of(fresh.admin.address)},
      {"log.level", running.log.level != fresh.log.level},
      {"log.format", running.log.format != fresh.log.format},
      {"log.access.file", running.log.access.file != fresh.log.access.file},
      {"bus", bus_of(running) != bus_of(fresh)},
      {"store", store_of(running) != store_of(fresh)},
      {"security.run_as", running.security.run_as != fresh.security.run_as},
      {"security.insecure", running.security.insecure != fresh.security.insecure},
      {"relay.splice", running.relay.splice != fresh.relay.splice},
      {"relay.io_uring", running.relay.io_uring != fresh.relay.io_uring},
      {"relay.pipes_max", running.relay.pipes_max != fresh.relay.pipes_max},
      {"registry.grpc", to_string(running.registry.grpc) != to_string(fresh.registry.grpc)},
  };
  std::vector<std::string> keys;
  for (const auto& [key, is_other] : changed)
    if (is_other) keys.emplace_back(key);
  return keys;
}

}  // namespace nlb::config
