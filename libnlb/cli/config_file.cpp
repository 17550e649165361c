#include "libnlb/cli/config_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "libnlb/config/document.hpp"
#include "libnlb/config/restart.hpp"
#include "libnlb/daemon/log.hpp"

namespace nlb::cli {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<std::string> directory_variable(const char* name) {   // systemd may name several, with colons between
  const auto value = variable(name);
  return value ? std::optional(value->substr(0, value->find(':'))) : std::nullopt;
}

std::optional<std::string> below(const std::optional<std::string>& folder, const char* rest) {
  return folder ? std::optional(*folder + rest) : std::nullopt;
}

Pairs nlb_variables() {
  Pairs pairs;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (text.starts_with("NLB_") && equals != std::string_view::npos) pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return pairs;
}

struct Choice { std::string path; std::string_view named_by; };   // named_by empty: a well-known place that exists

std::optional<Choice> choose_file(const ConfigOptions& options) {
  if (!options.file.empty()) return Choice{options.file, "--config"};
  if (const auto path = variable("NLB_CONFIG")) return Choice{*path, "$NLB_CONFIG"};
  auto home = variable("XDG_CONFIG_HOME");
  if (!home) home = below(variable("HOME"), "/.config");
  for (const auto& path : {below(home, "/nlb/nlb.yaml"), std::optional<std::string>("/etc/nlb/nlb.yaml")})
    if (path && access(path->c_str(), F_OK) == 0) return Choice{*path, {}};
  return std::nullopt;
}

std::string read_stream(std::istream& in) {   // one byte over the limit is enough to be refused
  std::string text(config::document_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Result<std::string> read_file(const Choice& choice) {
  if (choice.path == "-") return read_stream(std::cin);
  errno = 0;
  std::ifstream in(choice.path, std::ios::binary);
  auto text = in ? read_stream(in) : std::string();
  if (in.is_open() && !in.bad()) return text;
  const std::string why = errno ? std::strerror(errno) : "it can't be read";
  const std::string by = choice.named_by.empty() ? "" : " (named by " + std::string(choice.named_by) + ")";
  return fail(ErrorKind::unavailable, "the configuration '" + choice.path + "'" + by + " can't be read: " + why + ": name another with --config");
}

Result<Pairs> split_settings(const std::vector<std::string>& settings) {
  Pairs pairs;
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) return fail(ErrorKind::usage, "--set '" + setting + "' has no '=': write --set KEY=VALUE, such as --set health.rise=3");
    pairs.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return pairs;
}

std::string shown_name(const std::optional<Choice>& choice) {
  if (!choice) return "defaults";
  return choice->path == "-" ? "stdin" : choice->path;
}

}  // namespace

void add_config_options(CLI::App& app, ConfigOptions& options) {
  app.add_option("-c,--config", options.file, "the configuration; - is standard input (default: $NLB_CONFIG, $XDG_CONFIG_HOME/nlb/nlb.yaml, /etc/nlb/nlb.yaml)")->option_text("FILE");
  app.add_flag("--check-config", options.check, "print every problem of the configuration as file:line:column: message, and leave (exit 0 or 3)");
  app.add_flag("--print-config", options.print, "print the configuration in force, and where each value came from, and leave");
  app.add_option("--set", options.set, "set one key of the configuration, above file and environment; may be given several times")
      ->option_text("KEY=VALUE")->type_size(1)->allow_extra_args(false)->take_all();
}

Result<ConfigFile> load_config(const ConfigOptions& options, std::string_view tool) {
  const auto settings = split_settings(options.set);
  if (!settings) return tl::unexpected(settings.error());
  const auto choice = choose_file(options);
  auto text = choice ? read_file(*choice) : Result<std::string>("");
  if (!text) return tl::unexpected(text.error());
  auto loaded = config::load(*text, nlb_variables(), *settings);
  if (!loaded.problems.empty()) return fail(ErrorKind::config, config::format_problems(shown_name(choice), loaded.problems));
  auto config = config::expand(loaded.config, places_of(tool));
  return ConfigFile{choice ? choice->path : "", std::move(loaded), std::move(config)};
}

Result<ConfigFile> reload_config(const ConfigOptions& options, std::string_view tool, const config::Config& running) {
  auto fresh = load_config(options, tool);
  if (!fresh) return fresh;
  std::string keys;
  for (const auto& key : config::keys_for_restart(running, fresh->config)) keys += (keys.empty() ? "" : ", ") + key;
  if (!keys.empty()) daemon::log::warning("changed keys that only a new process takes up: restart this one", {{"keys", keys}});
  return fresh;
}

std::optional<ExitCode> answer_config(const ConfigOptions& options, const ConfigFile& file) {
  if (options.print) std::cout << config::print_config(file.loaded);
  else if (options.check) std::cout << (file.path.empty() ? "no file, all defaults" : file.path) << ": valid\n";
  else return std::nullopt;
  return ExitCode::done;
}

config::Places places_of(std::string_view tool) {
  const bool root = geteuid() == 0;
  auto runtime = variable("NLB_RUNTIME_DIR");
  if (!runtime) runtime = directory_variable("RUNTIME_DIRECTORY");
  if (!runtime) runtime = below(variable("XDG_RUNTIME_DIR"), "/nlb");
  if (!runtime) runtime = root ? "/run/nlb" : "/tmp/nlb-" + std::to_string(geteuid());
  auto state = variable("NLB_STATE_DIR");
  if (!state) state = directory_variable("STATE_DIRECTORY");
  if (!state) state = below(variable("XDG_STATE_HOME"), "/nlb");
  if (!state && !root) state = below(variable("HOME"), "/.local/state/nlb");
  return {*runtime, state.value_or("/var/lib/nlb"), std::string(tool)};
}

}  // namespace nlb::cli
