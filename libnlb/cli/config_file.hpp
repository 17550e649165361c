// From command line, environment and file to a Config: the edge around config/load.hpp. The file is --config, else $NLB_CONFIG, else
// $XDG_CONFIG_HOME/nlb/nlb.yaml, else /etc/nlb/nlb.yaml; when nobody names one and none is there, the defaults hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/config/expand.hpp"
#include "libnlb/config/load.hpp"

namespace nlb::cli {

struct ConfigOptions {
  std::string file;                // --config; - is stdin
  bool check = false;              // --check-config
  bool print = false;              // --print-config
  std::vector<std::string> set;    // --set KEY=VALUE
};
void add_config_options(CLI::App& app, ConfigOptions& options);

struct ConfigFile {
  std::string path;                // empty: no file, all defaults
  config::Loaded loaded;           // as written
  config::Config config;           // ${runtime}, ${state} and {tool} replaced
};

// Reads and judges everything; prints nothing, so that a daemon can do it again on HUP and keep the old one. `tool`: "forward",
// "registry", "deploy", "scale", "inspect". Errors: config (text: one "file:line:col: problem" a line), unavailable (a file that was
// named and can't be read), usage (--set without '='). Blocking file reads.
Result<ConfigFile> load_config(const ConfigOptions& options, std::string_view tool);

// The same on HUP, for a daemon that runs with `running`: keys that it can't take up before it starts anew are named in a warning.
Result<ConfigFile> reload_config(const ConfigOptions& options, std::string_view tool, const config::Config& running);

// Answers --check-config and --print-config on stdout; nullopt when neither was asked for.
std::optional<ExitCode> answer_config(const ConfigOptions& options, const ConfigFile& file);

// ${runtime}: $NLB_RUNTIME_DIR, $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/nlb, /run/nlb (root), /tmp/nlb-UID.
// ${state}: $NLB_STATE_DIR, $STATE_DIRECTORY, $XDG_STATE_HOME/nlb, /var/lib/nlb (root), ~/.local/state/nlb. Makes no directory.
config::Places places_of(std::string_view tool);

}  // namespace nlb::cli
