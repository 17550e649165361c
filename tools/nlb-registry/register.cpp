#include "tools/nlb-registry/register.hpp"

#include <algorithm>
#include <optional>

#include "libnlb/bus/records.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-registry/life.hpp"

namespace nlb::registrar {

namespace {

Result<std::uint32_t> milliseconds(const std::string& text, const char* flag) {
  if (text.empty()) return 0u;
  const auto d = parse_duration(text);
  if (!d) return fail(ErrorKind::usage, std::string(flag) + ": " + d.error().text);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(*d / 1ms, 1, 0xffffffff));
}

template <std::size_t N>
int index_of(const std::array<std::string_view, N>& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

Result<> fill_check(v1::Module& module, const RegisterOptions& o) {
  const auto interval = milliseconds(o.check_interval, "--check-interval"), timeout = milliseconds(o.check_timeout, "--check-timeout");
  if (!interval) return tl::unexpected(interval.error());
  if (!timeout) return tl::unexpected(timeout.error());
  if (o.check.empty() && *interval == 0 && *timeout == 0 && o.check_target.empty() && o.rise == 0 && o.fall == 0) return {};
  auto& check = *module.mutable_check();
  if (!o.check.empty()) check.set_kind(static_cast<v1::CheckKind>(index_of(registry::check_kind_names, o.check)));
  check.set_interval_ms(*interval);
  check.set_timeout_ms(*timeout);
  check.set_rise(o.rise);
  check.set_fall(o.fall);
  check.set_target(o.check_target);
  return {};
}

Result<v1::Module> module_of(const RegisterOptions& o) {
  v1::Module m;
  const auto slash = o.name.find('/');
  m.set_name(slash == std::string::npos ? o.name : o.name.substr(slash + 1));
  m.set_service(slash == std::string::npos ? o.service : o.name.substr(0, slash));
  m.set_protocol(bus::to_proto(*parse_protocol(o.protocol)));
  m.set_data_address(o.address);
  m.set_control_address(o.control);
  m.set_version(o.version);
  m.set_colour(o.colour);
  m.set_weight(o.weight);
  m.set_zone(o.zone);
  m.set_priority(o.priority);
  m.set_backup(o.backup);
  m.set_max_connections(o.max_connections);
  if (!o.send_proxy.empty()) m.set_send_proxy(static_cast<v1::SendProxy>(index_of(registry::send_proxy_names, o.send_proxy)));
  m.set_incarnation(o.incarnation);
  for (const auto& label : o.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos) return fail(ErrorKind::usage, "--label " + label + ": write KEY=VALUE");
    (*m.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  const auto lease = milliseconds(o.lease, "--lease");
  if (!lease) return tl::unexpected(lease.error());
  m.set_lease_ms(*lease);
  if (auto ok = fill_check(m, o); !ok) return tl::unexpected(ok.error());
  return m;
}

}  // namespace

void add_register(CLI::App& app, RegisterOptions& o) {
  add_client_flags(app, o.client);
  app.add_option("--name", o.name, "the module's name, unique in its service; or SERVICE/NAME")->required()->option_text("NAME");
  app.add_option("--protocol", o.protocol, "what it speaks")->required()->check(CLI::IsMember({"http", "tls", "mysql", "postgresql", "mongodb", "redis", "rtmp"}));
  app.add_option("--address", o.address, "where clients' sessions go: 10.0.1.5:8080, [::1]:6379, unix:/run/x.sock")->required()->option_text("ADDRESS");
  app.add_option("--service", o.service, "the service that it belongs to (default: the protocol's name)")->option_text("NAME");
  app.add_option("--control", o.control, "its own gRPC server, for gRPC health checks")->option_text("ADDRESS");
  app.add_option("--module-version", o.version, "its version, which splits choose between (default: v1)")->option_text("VERSION");
  app.add_option("--colour", o.colour, "blue, green; free text")->option_text("COLOUR");
  app.add_option("--weight", o.weight, "its share; 0 gets no new sessions (default: 100)")->check(CLI::Range(0u, 65535u))->option_text("N");
  app.add_option("--zone", o.zone, "its site")->option_text("ZONE");
  app.add_option("--priority", o.priority, "0 to 255, lower first; a higher tier is for when the lower has nobody")->check(CLI::Range(0u, registry::priority_max))->option_text("N");
  app.add_flag("--backup", o.backup, "used only when no other module of the service is usable");
  app.add_option("--max-connections", o.max_connections, "sessions at the same time (default: 10000)")->option_text("N");
  app.add_option("--send-proxy", o.send_proxy, "the PROXY header that forwarders send it")->check(CLI::IsMember({"none", "v1", "v2"}));
  app.add_option("--label", o.labels, "KEY=VALUE; may be given more than once")->option_text("KEY=VALUE");
  app.add_option("--lease", o.lease, "how long it stays without a heartbeat (default: the registry's)")->option_text("DURATION");
  app.add_option("--incarnation", o.incarnation, "tells processes of one name apart: the greater is the newer (with --keep: the start time)")->option_text("N");
  app.add_option("--check", o.check, "how it is checked (default: the registry's)")->check(CLI::IsMember({"protocol", "tcp", "grpc", "none"}));
  app.add_option("--check-interval", o.check_interval, "between two checks")->option_text("DURATION");
  app.add_option("--check-timeout", o.check_timeout, "for one check")->option_text("DURATION");
  app.add_option("--check-target", o.check_target, "HTTP path, such as /healthz, or service of a gRPC check")->option_text("TEXT");
  app.add_option("--rise", o.rise, "good checks in a row that make it usable again")->option_text("N");
  app.add_option("--fall", o.fall, "failed checks in a row that make it unusable")->option_text("N");
  app.add_flag("--keep", o.keep, "stay: beat until a signal comes, then unregister");
  app.add_option("--load-file", o.load_file, "with --keep or a command: read the module's load at each heartbeat from this file, \"cpu_percent 12.5\" a line; "
                                              "also memory_percent, connections, requests_per_second, errors_per_second (default: CPU and memory of the command)")
      ->option_text("FILE");
  app.add_option("--drain-timeout", o.drain_timeout, "with a command: how long its sessions may go on before it gets TERM; 0: not; a second signal ends the wait (default: 30s)")->option_text("DURATION");
  app.add_option("command", o.command, "run this, and keep it registered for as long as it runs; put -- before it")->option_text("COMMAND...");
}

Result<cli::ExitCode> register_module(const RegisterOptions& options, const cli::Common& common) {
  auto module = module_of(options);
  if (!module) return tl::unexpected(module.error());
  const auto drain_timeout = options.drain_timeout == "0" ? Result<std::uint32_t>(0u) : milliseconds(options.drain_timeout, "--drain-timeout");
  if (!drain_timeout) return tl::unexpected(drain_timeout.error());
  const bool stays = options.keep || !options.command.empty();
  if (stays && module->incarnation() == 0) module->set_incarnation(daemon::unix_us());
  std::optional<SignalDescriptor> signals;
  if (stays) signals.emplace();
  auto client = connect(options.client);
  if (!client) return tl::unexpected(client.error());
  const LifeOptions life{options.command, options.load_file, *drain_timeout};
  if (stays) return live(life, common, *signals, **client, *module);
  const auto reply = (*client)->register_module(*module, true);      // who calls this once is no process that could be out
  if (!reply) return tl::unexpected(reply.error());
  print(*reply, common);
  return cli::ExitCode::done;
}

}  // namespace nlb::registrar
