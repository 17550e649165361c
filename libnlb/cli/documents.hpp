// Man pages and completions made from the tool's own definitions. `tool --generate KIND` prints one; the results are committed in man/
// and completions/ and tests/e2e/documents.sh holds them against the tools (tests/support/regenerate.sh writes them).
#pragma once

#include <string>
#include <vector>

#include "libnlb/cli/describe.hpp"
#include "libnlb/cli/manual.hpp"

namespace nlb::cli {

std::vector<std::string> document_kinds();   // man, bash, zsh, fish, nlb.yaml.5
std::string generate(CLI::App& app, const Manual& manual, const std::string& kind);   // precondition: a kind of document_kinds()

std::string man_page(const CommandText& tool, const Manual& manual);   // man(7) source
std::string bash_completion(const CommandText& tool);
std::string zsh_completion(const CommandText& tool);
std::string fish_completion(const CommandText& tool);
std::string config_man_page();   // nlb.yaml.5, from config/keys.hpp

}  // namespace nlb::cli
