// What every client command shares: where the registry is, how to speak to it, and a module as JSON.
#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/ndjson.hpp"
#include "libnlb/rpc/registry_client.hpp"

namespace nlb::registrar {

struct ClientFlags {
  cli::ConfigOptions config;
  std::string registries;              // addresses with commas between; empty: $NLB_ENDPOINT, then registry.grpc
  std::string api_key_file;            // empty: security.api_key_file; NLB_API_KEY wins
  std::string tls_ca, tls_certificate, tls_key, tls_name;
  std::string timeout = "5s";
};
void add_client_flags(CLI::App& app, ClientFlags& flags);

Result<std::unique_ptr<rpc::RegistryClient>> connect(const ClientFlags& flags);

std::string id_of(const std::string& service, const std::string& name);
cli::Json module_json(const v1::Module& module);
std::string short_name(std::string_view enum_name, std::string_view prefix);      // "HEALTH_HEALTHY", "HEALTH_" -> "healthy"

}  // namespace nlb::registrar
