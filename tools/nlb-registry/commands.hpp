// The commands that ask a running registry once: unregister, drain, health, list, watch, stats; and keygen, which asks nobody.
#pragma once

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-registry/client.hpp"

namespace nlb::registrar {

struct Commands {
  ClientFlags client;
  std::string module, reason, service, protocol, version, state, directory, key_name, page_token, wait, drain_timeout = "30s", key_role = "all";
  std::uint64_t lease_id = 0;
  bool drain = false, cancel = false, routable = false, with_modules = false, changes_only = false;
};

void add_unregister(CLI::App& app, Commands& c);
void add_drain(CLI::App& app, Commands& c);
void add_health(CLI::App& app, Commands& c);
void add_list(CLI::App& app, Commands& c);
void add_watch(CLI::App& app, Commands& c);
void add_stats(CLI::App& app, Commands& c);
void add_keygen(CLI::App& app, Commands& c);

Result<cli::ExitCode> unregister(const Commands& c, const cli::Common& common);
Result<cli::ExitCode> drain(const Commands& c, const cli::Common& common);
Result<cli::ExitCode> health(const Commands& c, const cli::Common& common);      // exit 1: the module gets no new sessions
Result<cli::ExitCode> list(const Commands& c, const cli::Common& common);
Result<cli::ExitCode> watch(const Commands& c, const cli::Common& common);
Result<cli::ExitCode> stats(const Commands& c, const cli::Common& common);
Result<cli::ExitCode> keygen(const Commands& c);

}  // namespace nlb::registrar
