#include "tools/nlb-registry/client.hpp"

#include <cstdlib>

#include "libnlb/bus/records.hpp"
#include "libnlb/rpc/api_keys.hpp"

namespace nlb::registrar {

namespace {

Result<std::vector<Endpoint>> endpoints_of(const std::string& text) {
  std::vector<Endpoint> all;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    auto endpoint = parse_endpoint(std::string_view(text).substr(at, comma - at));
    if (!endpoint) return fail(ErrorKind::usage, "--registry: " + endpoint.error().text);
    all.push_back(std::move(*endpoint));
    at = comma + 1;
  }
  return all;
}

Result<std::string> api_key(const ClientFlags& flags, const config::Config& config) {
  if (const char* text = std::getenv("NLB_API_KEY"); text != nullptr && *text != '\0') return std::string(text);
  const auto& path = flags.api_key_file.empty() ? config.security.api_key_file : flags.api_key_file;
  if (path.empty()) return std::string();
  auto keys = rpc::read_api_keys(path);
  if (!keys) return tl::unexpected(keys.error());
  return keys->front();
}

rpc::ClientTls tls_of(const ClientFlags& flags, const config::Tls& config) {
  const bool on = !flags.tls_ca.empty() || !flags.tls_certificate.empty() || !config.certificate.empty();
  const auto either = [](const std::string& flag, const std::string& otherwise) { return flag.empty() ? otherwise : flag; };
  return {on, either(flags.tls_ca, config.client_ca), flags.tls_certificate, flags.tls_key, flags.tls_name};
}

}  // namespace

void add_client_flags(CLI::App& app, ClientFlags& flags) {
  app.add_option("-c,--config", flags.config.file, "the configuration that names registry.grpc and security")->option_text("FILE");
  app.add_option("--registry", flags.registries, "where the registry answers; several with commas between (default: $NLB_ENDPOINT, registry.grpc)")
      ->option_text("ADDRESS");
  app.add_option("--api-key-file", flags.api_key_file, "file with the cluster's API key (default: security.api_key_file; $NLB_API_KEY wins)")->option_text("FILE");
  app.add_option("--tls-ca", flags.tls_ca, "speak TLS, and believe certificates of this authority (PEM)")->option_text("FILE");
  app.add_option("--tls-certificate", flags.tls_certificate, "the own certificate (PEM), where the registry wants one")->option_text("FILE");
  app.add_option("--tls-key", flags.tls_key, "its key (PEM)")->option_text("FILE");
  app.add_option("--tls-name", flags.tls_name, "the name in the registry's certificate, where it isn't its address")->option_text("NAME");
  app.add_option("--timeout", flags.timeout, "for one answer (default: 5s)")->option_text("DURATION");
}

Result<std::unique_ptr<rpc::RegistryClient>> connect(const ClientFlags& flags) {
  auto file = cli::load_config(flags.config, "registry");
  if (!file) return tl::unexpected(file.error());
  rpc::ClientOptions options;
  const char* named = std::getenv("NLB_ENDPOINT");
  const std::string text = !flags.registries.empty() ? flags.registries : named != nullptr ? named : "";
  if (text.empty()) {
    options.registries = {file->config.registry.grpc};
  } else {
    auto endpoints = endpoints_of(text);
    if (!endpoints) return tl::unexpected(endpoints.error());
    options.registries = std::move(*endpoints);
  }
  auto key = api_key(flags, file->config);
  if (!key) return tl::unexpected(key.error());
  options.api_key = std::move(*key);
  options.tls = tls_of(flags, file->config.security.tls);
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout || *timeout <= Duration{}) return fail(ErrorKind::usage, "--timeout " + flags.timeout + ": write a time such as 5s");
  options.timeout = *timeout;
  return rpc::RegistryClient::make(std::move(options));
}

std::string id_of(const std::string& service, const std::string& name) { return name.find('/') == std::string::npos && !service.empty() ? service + "/" + name : name; }

std::string short_name(std::string_view enum_name, std::string_view prefix) {
  if (enum_name.starts_with(prefix)) enum_name.remove_prefix(prefix.size());
  std::string out(enum_name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

cli::Json module_json(const v1::Module& m) {
  cli::Json labels = cli::Json::object();
  for (const auto& [key, value] : m.labels()) labels[key] = value;
  const auto record = bus::from_proto(m);
  return {{"module", m.service() + "/" + m.name()}, {"name", m.name()}, {"service", m.service()}, {"protocol", short_name(v1::Protocol_Name(m.protocol()), "PROTOCOL_")},
          {"address", m.data_address()}, {"control", m.control_address()}, {"version", m.version()}, {"colour", m.colour()}, {"weight", m.weight()},
          {"zone", m.zone()}, {"priority", m.priority()}, {"backup", m.backup()}, {"max_connections", m.max_connections()},
          {"send_proxy", short_name(v1::SendProxy_Name(m.send_proxy()), "SEND_PROXY_")}, {"labels", labels}, {"incarnation", m.incarnation()},
          {"lease_seconds", m.lease_ms() / 1000.0},
          {"check", {{"kind", short_name(v1::CheckKind_Name(m.check().kind()), "CHECK_KIND_")}, {"interval_seconds", m.check().interval_ms() / 1000.0},
                     {"timeout_seconds", m.check().timeout_ms() / 1000.0}, {"rise", m.check().rise()}, {"fall", m.check().fall()}}},
          {"phase", short_name(v1::Phase_Name(m.state().phase()), "PHASE_")}, {"health", short_name(v1::Health_Name(m.state().health()), "HEALTH_")},
          {"routable", record && registry::is_routable(*record)}, {"reason", m.state().reason()}};
}

}  // namespace nlb::registrar
