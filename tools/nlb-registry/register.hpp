// `nlb-registry register`: one registration; with --keep, or with a command to run, a module's whole life (life.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/cli/tool.hpp"
#include "libnlb/registry/module.hpp"
#include "tools/nlb-registry/client.hpp"

namespace nlb::registrar {

struct RegisterOptions {
  ClientFlags client;
  std::string name, service, address, control, version, colour, zone, lease, check, check_interval, check_timeout, check_target, send_proxy;
  std::string protocol, load_file, drain_timeout = "30s";
  std::vector<std::string> labels, command;
  std::uint32_t weight = 100, priority = 0, max_connections = 10000, rise = 0, fall = 0;
  std::uint64_t incarnation = 0;
  bool backup = false, keep = false;
};
void add_register(CLI::App& app, RegisterOptions& options);

// Exit: 0; of the command, its own code; 1 when the registry wished that we stop; 4 when no registry answers at the start.
Result<cli::ExitCode> register_module(const RegisterOptions& options, const cli::Common& common);

}  // namespace nlb::registrar
