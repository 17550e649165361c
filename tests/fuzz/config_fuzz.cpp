// Any bytes as a configuration: never a crash, never a hang; what loads without a problem must print and load again as the same.
// Start corpus: tests/fuzz/corpus/config. A line "NLB_X=value" at the start is an environment variable, so that overrides are met too.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libnlb/config/load.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(bytes), size);
  std::vector<std::pair<std::string, std::string>> environment;
  while (text.starts_with("NLB_")) {
    const auto line = text.substr(0, text.find('\n'));
    const auto equals = line.find('=');
    if (equals != std::string_view::npos) environment.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  const auto loaded = nlb::config::load(text, environment);
  nlb::config::format_problems("f", loaded.problems);
  const auto printed = nlb::config::print_config(loaded);
  if (!loaded.problems.empty()) return 0;
  const auto again = nlb::config::load(printed);
  if (!again.problems.empty()) std::abort();
  return 0;
}
