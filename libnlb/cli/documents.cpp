#include "libnlb/cli/documents.hpp"

namespace nlb::cli {

std::vector<std::string> document_kinds() { return {"man", "bash", "zsh", "fish", "nlb.yaml.5"}; }

std::string generate(CLI::App& app, const Manual& manual, const std::string& kind) {
  if (kind == "nlb.yaml.5") return config_man_page();
  const auto tool = describe(app);
  if (kind == "bash") return bash_completion(tool);
  if (kind == "zsh") return zsh_completion(tool);
  if (kind == "fish") return fish_completion(tool);
  return man_page(tool, manual);
}

}  // namespace nlb::cli
