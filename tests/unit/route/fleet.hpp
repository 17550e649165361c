// A few modules and a table of them, for the route tests.
#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "libnlb/route/table.hpp"

namespace nlb::route::test {

inline const MonoTime start{5000s};

inline registry::Module module(std::string name, std::string service = "http", Protocol protocol = Protocol::http) {
  registry::Module m;
  m.name = std::move(name);
  m.service = std::move(service);
  m.protocol = protocol;
  m.data = *parse_endpoint("10.0.0.1:80");
  m.state.health = registry::Health::healthy;
  return m;
}

struct Fleet {
  TableInput input;
  Roster roster{4};
  std::shared_ptr<const Table> table;
  Rng rng{42};
  MonoTime now = start;

  ServiceOptions& options(const std::string& service = "http") { return input.services[service]; }
  registry::Module& add(const std::string& name, const std::string& service = "http", Protocol protocol = Protocol::http) {
    return input.modules.emplace_back(module(name, service, protocol));
  }
  void add_many(std::size_t count, std::uint32_t weight = 100) {
    for (std::size_t i = 0; i < count; ++i) add("m" + std::to_string(i)).weight = weight;
  }
  const Table& build() {
    auto built = Table::build(input, roster, now);
    REQUIRE(built);
    table = *built;
    return *table;
  }
  std::uint32_t index(const std::string& service = "http") const {
    const auto* found = table->find_service(service);
    REQUIRE(found);
    return static_cast<std::uint32_t>(found - table->services().data());
  }
  ModuleState& state(const std::string& name) const {
    for (const auto& service : table->services())
      for (const auto& m : service.modules)
        if (m->identity.name == name) return *m;
    FAIL("no module " << name);
    throw 0;
  }
  PickResult pick(std::uint32_t client = 1, std::span<ModuleState* const> tried = {}) {
    return table->pick(index(), {IpAddress::v4(client), 0, now, rng, tried});
  }
  // How often each module is picked when every session ends at once.
  std::map<std::string, int> counts(int picks) {
    std::map<std::string, int> result;
    for (int i = 0; i < picks; ++i)
      if (auto p = pick(static_cast<std::uint32_t>(rng()))) ++result[p.slot->identity.name];
    return result;
  }
};

// Pearson's statistic against expected shares. The 99.9 % quantiles: 3 degrees 16.3, 7 degrees 24.3, 9 degrees 27.9, 49 degrees 85.4.
inline double chi_square(const std::map<std::string, int>& seen, const std::map<std::string, double>& shares) {
  double total = 0, sum = 0, result = 0;
  for (const auto& [name, n] : seen) total += n;
  for (const auto& [name, share] : shares) sum += share;
  for (const auto& [name, share] : shares) {
    const double expected = total * share / sum, n = seen.contains(name) ? seen.at(name) : 0;
    result += (n - expected) * (n - expected) / expected;
  }
  return result;
}

}  // namespace nlb::route::test
