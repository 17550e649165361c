#include "tools/nlb-registry/commands.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "libnlb/bus/keys.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/cli/table.hpp"

namespace nlb::registrar {

using cli::Align;
using cli::Json;

namespace {

void add_module(CLI::App& app, Commands& c) { app.add_option("module", c.module, "the module: SERVICE/NAME")->required()->option_text("MODULE"); }
void add_reason(CLI::App& app, Commands& c) { app.add_option("--reason", c.reason, "why; for people")->option_text("TEXT"); }
void add_service(CLI::App& app, Commands& c) { app.add_option("--service", c.service, "only this service")->option_text("NAME"); }

bool wants_json(const cli::Common& common) { return cli::effective_output(common) == cli::Output::ndjson; }
void print(const Json& object) { cli::NdjsonWriter(std::cout).write(object); }

cli::Cell health_cell(const std::string& health) {
  using enum cli::Tint;
  return {health, health == "healthy" ? green : health == "unhealthy" ? red : yellow};
}
cli::Cell phase_cell(const std::string& phase) { return {phase, phase == "up" ? cli::Tint::none : cli::Tint::yellow}; }

std::string percent(bool known, double value) {
  if (!known) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", value);
  return text;
}

}  // namespace

void add_unregister(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  add_module(app, c);
  auto* drain = app.add_flag("--drain", c.drain, "let its sessions end first");
  app.add_option("--drain-timeout", c.drain_timeout, "how long at most (default: 30s)")->option_text("DURATION");
  auto* wait = app.add_option("--wait", c.wait, "wait until it has gone, at most so long, and show the sessions that are left (exit 5: it is still there)")
      ->option_text("DURATION");
  auto* lease = app.add_option("--lease-id", c.lease_id, "only while this lease is in force, so that an old process can't remove a new one")->option_text("N");
  app.add_flag("--cancel", c.cancel, "take it back: the module stays if it is still there, or may register again")->excludes(drain)->excludes(wait)->excludes(lease);
  add_reason(app, c);
}

void add_drain(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  add_module(app, c);
  app.add_flag("--cancel", c.cancel, "give it new sessions again");
  app.add_option("--wait", c.wait, "wait until its sessions have ended, at most so long, and show those that are left (exit 5: some are)")
      ->option_text("DURATION");
  add_reason(app, c);
}

void add_health(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  app.add_option("module", c.module, "the module: SERVICE/NAME; all when absent")->option_text("MODULE");
  app.add_option("state", c.state, "report this in the module's name: healthy, degraded, unhealthy; unknown withdraws it")
      ->check(CLI::IsMember({"healthy", "degraded", "unhealthy", "unknown"}))
      ->option_text("STATE");
  add_reason(app, c);
}

void add_list(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  add_service(app, c);
  app.add_option("--protocol", c.protocol, "only this protocol")->check(CLI::IsMember({"http", "tls", "mysql", "postgresql", "mongodb", "redis", "rtmp"}));
  app.add_option("--version-of-module", c.version, "only this version")->option_text("VERSION");
  app.add_flag("--routable", c.routable, "only those that get new sessions");
}

void add_watch(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  add_service(app, c);
  app.add_flag("--changes-only", c.changes_only, "leave out what is there already");
}

void add_stats(CLI::App& app, Commands& c) {
  add_client_flags(app, c.client);
  add_service(app, c);
  app.add_flag("--modules", c.with_modules, "numbers of each module");
}

void add_keygen(CLI::App& app, Commands& c) {
  app.add_option("name", c.key_name, "of the key: NAME.key (secret, mode 0600) and NAME.pub are written")->required()->option_text("NAME");
  app.add_option("--directory", c.directory, "where to (default: here)")->option_text("DIR");
  app.add_option("--role", c.key_role, "what the holder may read where NAME.pub is listed, and may make itself known as: forward, registry, deploy, scale, "
                 "or all (default), which reads everything and owns nothing")
      ->check(CLI::IsMember({"forward", "registry", "deploy", "scale", "all"}))
      ->option_text("ROLE");
}

namespace {

Result<cli::ExitCode> report_health(const Commands& c, const cli::Common& common, rpc::RegistryClient& client) {
  v1::UpdateHealthRequest request;
  request.set_module_id(c.module);
  request.set_reason(c.reason);
  const auto at = std::find(registry::health_names.begin(), registry::health_names.end(), c.state) - registry::health_names.begin();
  request.set_health(static_cast<v1::Health>(at));
  const auto reply = client.update_health(request);
  if (!reply) return tl::unexpected(reply.error());
  const auto health = short_name(v1::Health_Name(reply->state().health()), "HEALTH_");
  if (wants_json(common)) print({{"module", c.module}, {"health", health}, {"reason", reply->state().reason()}});
  else std::cout << c.module << " is " << health << (reply->state().reason().empty() ? "" : ": " + reply->state().reason()) << "\n";
  return cli::ExitCode::done;
}

Json health_json(const v1::ModuleStats& s) {
  const auto& check = s.check();
  const auto word = [](v1::Health h) { return short_name(v1::Health_Name(h), "HEALTH_"); };
  return {{"module", s.module_id()}, {"health", word(check.effective())}, {"checked", word(check.checked())}, {"reported", word(check.reported())},
          {"good_in_row", check.good_in_row()}, {"bad_in_row", check.bad_in_row()}, {"checks", check.checks_total()}, {"failures", check.failures_total()},
          {"answer_seconds", check.answer_us() / 1e6}, {"last_error", check.last_error()}};
}

}  // namespace

Result<cli::ExitCode> health(const Commands& c, const cli::Common& common) {
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  if (!c.state.empty()) return report_health(c, common, **client);
  v1::GetStatsRequest request;
  request.set_with_modules(true);
  if (!c.module.empty()) request.set_service(c.module.substr(0, c.module.find('/')));
  const auto reply = (*client)->get_stats(request);
  if (!reply) return tl::unexpected(reply.error());
  cli::Table table({{"MODULE"}, {"HEALTH"}, {"CHECKED"}, {"REPORTED"}, {"CHECKS", Align::right}, {"FAILED", Align::right}, {"LAST ERROR", Align::left, true}});
  bool found = c.module.empty(), good = true;
  for (const auto& s : reply->module_stats()) {
    if (!c.module.empty() && s.module_id() != c.module) continue;
    found = true;
    const auto effective = s.check().effective();
    good = good && effective != v1::HEALTH_UNHEALTHY;
    if (wants_json(common)) {
      print(health_json(s));
      continue;
    }
    table.add({s.module_id(), health_cell(short_name(v1::Health_Name(effective), "HEALTH_")), short_name(v1::Health_Name(s.check().checked()), "HEALTH_"),
               short_name(v1::Health_Name(s.check().reported()), "HEALTH_"), std::to_string(s.check().checks_total()),
               std::to_string(s.check().failures_total()), s.check().last_error()});
  }
  if (!found) return fail(ErrorKind::not_found, "module " + c.module + " is not known: nlb-registry list shows those that are");
  if (!table.empty()) std::cout << table.render(cli::terminal_width(1, 0), cli::use_color(common));
  return good ? cli::ExitCode::done : cli::ExitCode::no;
}

namespace {

cli::Table module_table() {
  return cli::Table({{"SERVICE"}, {"MODULE"}, {"PROTOCOL"}, {"ADDRESS"}, {"VERSION"}, {"WEIGHT", Align::right}, {"PHASE"}, {"HEALTH"}, {"REASON", Align::left, true}});
}

void add_row(cli::Table& table, const v1::Module& m) {
  const auto json = module_json(m);
  table.add({m.service(), m.name(), json["protocol"].get<std::string>(), m.data_address(), m.version(), std::to_string(m.weight()),
             phase_cell(json["phase"].get<std::string>()), health_cell(json["health"].get<std::string>()), m.state().reason()});
}

}  // namespace

Result<cli::ExitCode> list(const Commands& c, const cli::Common& common) {
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  v1::ListModulesRequest request;
  request.set_service(c.service);
  request.set_version(c.version);
  request.set_routable_only(c.routable);
  request.set_page_size(10000);
  if (const auto protocol = parse_protocol(c.protocol)) request.set_protocol(bus::to_proto(*protocol));
  auto table = module_table();
  do {
    const auto reply = (*client)->list_modules(request);
    if (!reply) return tl::unexpected(reply.error());
    for (const auto& module : reply->modules()) wants_json(common) ? print(module_json(module)) : add_row(table, module);
    request.set_page_token(reply->next_page_token());
  } while (!request.page_token().empty());
  if (!table.empty()) std::cout << table.render(cli::terminal_width(1, 0), cli::use_color(common));
  return cli::ExitCode::done;
}

Result<cli::ExitCode> watch(const Commands& c, const cli::Common& common) {
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  v1::WatchModulesRequest request;
  request.set_service(c.service);
  request.set_changes_only(c.changes_only);
  const bool json = wants_json(common), color = cli::use_color(common);
  const auto done = (*client)->watch_modules(request, [&](const v1::ModuleChange& change) {
    const auto kind = short_name(v1::ModuleChange_Kind_Name(change.kind()), "KIND_");
    if (json) {
      Json line = {{"change", kind}, {"epoch", change.epoch()}, {"revision", change.revision()}, {"why", change.reason()}};
      if (change.has_module()) line.update(module_json(change.module()));
      print(line);
    } else if (change.has_module()) {
      const auto m = module_json(change.module());
      std::cout << cli::tinted(kind, change.kind() == v1::ModuleChange::KIND_REMOVED ? cli::Tint::red : cli::Tint::green, color) << "  "
                << cli::printable(m["module"].get<std::string>()) << "  " << cli::printable(change.module().data_address()) << "  "
                << m["phase"].get<std::string>() << "  " << m["health"].get<std::string>() << "  " << cli::printable(change.reason()) << std::endl;
    }
    return static_cast<bool>(std::cout);
  });
  if (!done) return tl::unexpected(done.error());
  return cli::ExitCode::done;
}

namespace {

Json load_json(const v1::ModuleStats& s) {
  const auto& load = s.load();
  const auto number = [](bool known, double value) { return known ? Json(value) : Json(nullptr); };
  return {{"module", s.module_id()}, {"cpu_percent", number(load.has_cpu_percent(), load.cpu_percent())},
          {"memory_percent", number(load.has_memory_percent(), load.memory_percent())},
          {"connections", load.has_connections() ? Json(load.connections()) : Json(nullptr)},
          {"requests_per_second", number(load.has_requests_per_second(), load.requests_per_second())},
          {"errors_per_second", number(load.has_errors_per_second(), load.errors_per_second())}, {"load_age_seconds", s.load_age_ms() / 1000.0},
          {"lease_remaining_seconds", s.lease_remaining_ms() / 1000.0}, {"heartbeats", s.heartbeats_total()}, {"sessions", s.sessions()},
          {"health", short_name(v1::Health_Name(s.check().effective()), "HEALTH_")}};
}

Json totals_json(const v1::GetStatsReply& reply) {
  Json services = Json::array(), refusals = Json::object();
  for (const auto& s : reply.services())
    services.push_back({{"service", s.service()}, {"protocol", short_name(v1::Protocol_Name(s.protocol()), "PROTOCOL_")}, {"modules", s.modules()},
                        {"routable", s.routable()}, {"healthy", s.healthy()}, {"degraded", s.degraded()}, {"unhealthy", s.unhealthy()},
                        {"unknown", s.unknown()}, {"suspect", s.suspect()}, {"draining", s.draining()}, {"connections", s.connections()}});
  for (const auto& [kind, count] : reply.refusals()) refusals[kind] = count;
  return {{"epoch", reply.epoch()}, {"uptime_seconds", static_cast<double>(reply.uptime_ms()) / 1000.0}, {"modules", reply.modules()},
          {"registrations", reply.registrations_total()}, {"refusals_total", reply.refusals_total()}, {"refusals", refusals}, {"dismissed", reply.dismissed()},
          {"heartbeats", reply.heartbeats_total()}, {"expirations", reply.expirations_total()}, {"suspicions", reply.suspicions_total()},
          {"services", services}};
}

void print_tables(const v1::GetStatsReply& reply, bool color) {
  std::cout << reply.modules() << " modules, up " << format_duration(std::chrono::seconds(reply.uptime_ms() / 1000)) << "; "
            << reply.registrations_total() << " registrations, " << reply.heartbeats_total() << " heartbeats, " << reply.refusals_total()
            << " refusals, " << reply.expirations_total() << " leases ended";
  if (reply.dismissed() > 0) std::cout << "; " << reply.dismissed() << " taken out by an operator";
  std::cout << "\n";
  cli::Table services({{"SERVICE"}, {"PROTOCOL"}, {"MODULES", Align::right}, {"ROUTABLE", Align::right}, {"UNHEALTHY", Align::right},
                       {"SUSPECT", Align::right}, {"DRAINING", Align::right}, {"CONNECTIONS", Align::right}});
  for (const auto& s : reply.services())
    services.add({s.service(), short_name(v1::Protocol_Name(s.protocol()), "PROTOCOL_"), std::to_string(s.modules()), std::to_string(s.routable()),
                  std::to_string(s.unhealthy()), std::to_string(s.suspect()), std::to_string(s.draining()), std::to_string(s.connections())});
  if (!services.empty()) std::cout << "\n" << services.render(cli::terminal_width(1, 0), color);
  cli::Table modules({{"MODULE"}, {"HEALTH"}, {"CPU", Align::right}, {"MEMORY", Align::right}, {"CONNECTIONS", Align::right},
                      {"SESSIONS", Align::right}, {"HEARTBEATS", Align::right}, {"LEASE", Align::right}});
  for (const auto& s : reply.module_stats())
    modules.add({s.module_id(), health_cell(short_name(v1::Health_Name(s.check().effective()), "HEALTH_")),
                 percent(s.load().has_cpu_percent(), s.load().cpu_percent()), percent(s.load().has_memory_percent(), s.load().memory_percent()),
                 s.load().has_connections() ? std::to_string(s.load().connections()) : "-", std::to_string(s.sessions()),
                 std::to_string(s.heartbeats_total()), format_duration(std::chrono::seconds(s.lease_remaining_ms() / 1000))});
  if (!modules.empty()) std::cout << "\n" << modules.render(cli::terminal_width(1, 0), color);
}

}  // namespace

Result<cli::ExitCode> stats(const Commands& c, const cli::Common& common) {
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  v1::GetStatsRequest request;
  request.set_service(c.service);
  request.set_with_modules(c.with_modules);
  const auto reply = (*client)->get_stats(request);
  if (!reply) return tl::unexpected(reply.error());
  if (!wants_json(common)) return print_tables(*reply, cli::use_color(common)), cli::ExitCode::done;
  if (!c.with_modules) print(totals_json(*reply));
  for (const auto& s : reply->module_stats()) print(load_json(s));
  return cli::ExitCode::done;
}

Result<cli::ExitCode> keygen(const Commands& c) {
  const auto keys = bus::make_keys();
  if (!keys) return tl::unexpected(keys.error());
  const auto directory = c.directory.empty() ? std::string(".") : c.directory;
  if (auto saved = bus::save_keys(*keys, directory, c.key_name, c.key_role); !saved) return tl::unexpected(saved.error());
  std::cout << directory << "/" << c.key_name << ".key\n" << directory << "/" << c.key_name << ".pub\n";
  return cli::ExitCode::done;
}

}  // namespace nlb::registrar
