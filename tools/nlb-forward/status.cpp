#include "tools/nlb-forward/status.hpp"

#include <iostream>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/cli/table.hpp"
#include "libnlb/daemon/http_client.hpp"

namespace nlb::forward {
namespace {

constexpr std::uint16_t default_port = 8082;

Result<Endpoint> admin_address(const StatusOptions& options) {
  if (!options.admin.empty()) return parse_endpoint(options.admin);
  auto file = cli::load_config(options.config, "forward");
  if (!file) return tl::unexpected(file.error());
  return file->config.admin.address.value_or(Endpoint{Endpoint::Kind::ip, default_port, IpAddress::v4(0x7f000001), {}});
}

std::string count(const cli::Json& object, const char* key) { return std::to_string(object.value(key, std::uint64_t{0})); }

std::string milliseconds(const cli::Json& object, const char* key) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", object.value(key, 0.0) * 1000);
  return text;
}

cli::Tint tint_of(const std::string& state) {
  return state == "up" ? cli::Tint::green : state == "draining" ? cli::Tint::yellow : cli::Tint::red;
}

void print_tables(const cli::Json& status, bool color) {
  const auto& sessions = status.at("sessions");
  std::cout << "nlb-forward " << status.value("version", "") << ", pid " << count(status, "pid") << ", up "
            << format_duration(std::chrono::seconds(static_cast<long>(status.value("uptime_seconds", 0.0)))) << ", " << count(status, "workers")
            << " workers\nsessions: " << count(sessions, "open") << " open, " << count(sessions, "waiting") << " waiting, "
            << count(sessions, "accepted") << " accepted\n";
  for (const auto& old : status.value("old_generations", cli::Json::array()))
    std::cout << "draining: pid " << count(old, "pid") << ", " << count(old, "sessions") << " open\n";
  for (const auto& listener : status.at("listeners"))
    if (listener.value("live", true)) std::cout << "listening on " << listener.value("address", "") << "\n";
  cli::Table table({{"SERVICE"}, {"MODULE"}, {"ADDRESS"}, {"VERSION"}, {"STATE"}, {"ACTIVE", cli::Align::right}, {"ROUTED", cli::Align::right},
                    {"FAILED", cli::Align::right}, {"FIRST BYTE", cli::Align::right}, {"UP", cli::Align::right}, {"DOWN", cli::Align::right}});
  for (const auto& service : status.at("services"))
    for (const auto& module : service.at("modules")) {
      const auto state = module.value("state", "");
      table.add({service.value("name", ""), module.value("name", ""), module.value("address", ""), module.value("version", ""),
                 {state, tint_of(state)}, count(module, "active"), count(module, "routed"), count(module, "connect_failures"),
                 milliseconds(module, "first_byte_p50_seconds"), format_size(module.value("bytes_up", std::uint64_t{0})),
                 format_size(module.value("bytes_down", std::uint64_t{0}))});
    }
  if (!table.empty()) std::cout << "\n" << table.render(cli::terminal_width(1, 0), color);
}

}  // namespace

void add_status_options(CLI::App& app, StatusOptions& options) {
  app.add_option("--config", options.config.file, "the configuration that names admin.address")->option_text("FILE");
  app.add_option("--admin", options.admin, "admin address of the running nlb-forward (default: admin.address, else 127.0.0.1:8082)")
      ->option_text("ADDRESS");
}

Result<cli::ExitCode> show_status(const StatusOptions& options, const cli::Common& common) {
  auto address = admin_address(options);
  if (!address) return tl::unexpected(address.error());
  auto answer = daemon::http_get(*address, "/status");
  if (!answer) return tl::unexpected(answer.error());
  const auto status = cli::Json::parse(answer->body, nullptr, false);
  if (answer->status != 200 || !status.is_object() || status.value("tool", "") != "nlb-forward")
    return fail(ErrorKind::bad_input, to_string(*address) + " answered, but is no nlb-forward: name its admin address with --admin");
  if (cli::effective_output(common) == cli::Output::ndjson) std::cout << cli::json_line(status) << "\n";
  else print_tables(status, cli::use_color(common));
  return cli::ExitCode::done;
}

}  // namespace nlb::forward
