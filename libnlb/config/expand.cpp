#include "libnlb/config/expand.hpp"

#include <optional>
#include <string_view>

namespace nlb::config {
namespace {

void replace_all(std::string& text, std::string_view what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
}

void expand_in(std::string& text, const Places& places) { text = expand(std::move(text), places); }
void expand_in(Endpoint& endpoint, const Places& places) { expand_in(endpoint.host, places); }
template <class T> void expand_in(std::optional<T>& value, const Places& places) {
  if (value) expand_in(*value, places);
}
template <class T> void expand_in(std::vector<T>& list, const Places& places) {
  for (auto& value : list) expand_in(value, places);
}

}  // namespace

std::string expand(std::string text, const Places& places) {
  replace_all(text, "${runtime}", places.runtime);
  replace_all(text, "${state}", places.state);
  replace_all(text, "{tool}", places.tool);
  return text;
}

Config expand(Config config, const Places& places) {
  const auto all = [&](auto&... values) { (expand_in(values, places), ...); };
  for (auto& listener : config.listen) all(listener.addresses);
  for (auto& module : config.modules) all(module.address, module.control);
  all(config.registry.grpc, config.deploy.grpc, config.scale.grpc, config.admin.address, config.log.access.file, config.tracing.otlp);
  all(config.bus.publish, config.bus.subscribe, config.bus.curve_secret_key_file, config.bus.curve_allowed_keys_dir, config.bus.curve_server_key_file);
  all(config.store.sqlite, config.security.tls.certificate, config.security.tls.key, config.security.tls.client_ca, config.security.api_key_file);
  all(config.manager.api_key_file, config.manager.ca_file, config.licensing.key_file);
  return config;
}

}  // namespace nlb::config
