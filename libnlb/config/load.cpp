#include "libnlb/config/load.hpp"

#include <algorithm>
#include <tuple>

#include "libnlb/config/checks.hpp"
#include "libnlb/config/overrides.hpp"
#include "libnlb/config/sections.hpp"

namespace nlb::config {
namespace {

constexpr std::size_t problems_max = 200;   // a wrong kind of file shouldn't scroll the reason away

void sort_problems(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.source, a.line, a.column) < std::tie(b.source, b.line, b.column);
  });
  if (problems.size() <= problems_max) return;
  const auto more = problems.size() - problems_max;
  problems.resize(problems_max);
  problems.push_back({0, 0, std::to_string(more) + " more problems: only the first " + std::to_string(problems_max) + " are shown: mend these first"});
}

}  // namespace

Loaded load(std::string_view yaml, const std::vector<std::pair<std::string, std::string>>& environment,
            const std::vector<std::pair<std::string, std::string>>& overrides) {
  Loaded loaded;
  auto document = parse_document(yaml);
  const bool readable = document.problems.empty();
  apply_environment(document, environment);
  apply_flags(document, overrides);

  Session session;
  check_shape(document.root, schema(), {}, session.problems);
  const Reader root(session, document.root, schema());
  read_traffic(root, loaded.config);
  read_services(root, loaded.config);
  read_control(root, loaded.config);
  read_operation(root, loaded.config);
  if (readable) check_whole(loaded.config, document.root, session.problems);   // half a file would seem to lack things

  loaded.problems = std::move(document.problems);
  loaded.problems.insert(loaded.problems.end(), session.problems.begin(), session.problems.end());
  loaded.origins = std::move(session.origins);
  sort_problems(loaded.problems);
  return loaded;
}

}  // namespace nlb::config
