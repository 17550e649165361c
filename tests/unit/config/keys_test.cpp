#include "libnlb/config/keys.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "libnlb/config/load.hpp"
#include "libnlb/config/schema.hpp"
#include "tests/unit/config/full.hpp"

using namespace nlb;
using namespace nlb::config;

namespace {

std::string pattern_of(std::string_view path) {   // listen[0].name to listen[].name
  std::string out;
  for (const char c : path)
    if (c < '0' || c > '9' || out.empty() || out.find('[') == std::string::npos) out += c;
  return out;
}

// One of every element, so that every key is read; nothing else is set.
constexpr const char* one_of_each =
    "listen: [{address: ':1'}]\nmodules: [{name: m, protocol: http, address: 'h:1', labels: {x: y}}]\nroutes: [{service: http}]\nservices: {x: {}}\n"
    "limits: [{name: l, connections: 0}]\nscale:\n  policies:\n"
    "    - {service: a, target: {process: {command: a, environment: {x: y}}}}\n    - {service: b, target: {docker: {image: i, environment: {x: y}}}}\n"
    "    - {service: c, target: {kubernetes: {}}}\n    - {service: d, target: {exec: {command: a, environment: {x: y}}}}\n    - {service: e}\n"
    "  prometheus: [{url: 'http://h:1/', service: a, metric: m, labels: {x: y}}]\n";

}  // namespace

TEST_CASE("every key of the table is read, and its default is the one of config.hpp") {
  const auto loaded = load(one_of_each);
  REQUIRE(format_problems("f", loaded.problems) == "");
  std::map<std::string, const Origin*> seen;
  for (const auto& origin : loaded.origins) {
    auto pattern = pattern_of(origin.path);
    for (const auto* map : {"services.", "labels.", "environment."})
      if (const auto at = pattern.find(std::string(map) + "x"); at != std::string::npos) pattern.replace(at + std::string_view(map).size(), 1, "*");
    if (origin.source == Source::default_value || !seen.contains(pattern)) seen[pattern] = &origin;
  }
  for (const auto& key : keys()) {
    INFO(key.path);
    const auto found = seen.find(std::string(key.path));
    REQUIRE(found != seen.end());
    if (found->second->source != Source::default_value) continue;
    auto value = found->second->value;
    if (value.starts_with('"')) value = value.substr(1, value.size() - 2);
    const bool list = key.type == Type::texts || key.type == Type::addresses || key.type == Type::networks;
    const std::string none = list ? "[]" : "null";
    CHECK(value == (key.fallback.empty() ? none : std::string(key.fallback)));
  }
}

TEST_CASE("the table is tidy: paths are unique, effects are sentences, limits fit their types, sections are listed") {
  std::set<std::string_view> paths, listed;
  for (const auto& section : sections()) listed.insert(section.name);
  for (const auto& key : keys()) {
    INFO(key.path);
    CHECK(paths.insert(key.path).second);
    CHECK(key.effect.ends_with('.'));
    CHECK(key.least <= key.most);
    if (key.type == Type::whole) CHECK(key.most <= 4294967295.0);
    CHECK((key.type == Type::choice) == !key.choices.empty());
    CHECK(listed.contains(key.path.substr(0, key.path.find_first_of(".["))));
  }
}

TEST_CASE("the edit distance counts insertions, deletions, changes and swaps") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("adress", "address") == 1);
  CHECK(edit_distance("egde", "edge") == 1);
  CHECK(nearest("timout", {"timeout", "tries"}) == "timeout");
  CHECK_FALSE(nearest("entirely", {"timeout", "tries"}));
}
