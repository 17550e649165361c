#include "libnlb/config/checks.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "libnlb/config/names.hpp"
#include "libnlb/config/schema.hpp"

namespace nlb::config {
namespace {

class Check {   // gathers problems, each at the value it is about
 public:
  Check(const Node& root, std::vector<Problem>& problems) : root_(root), problems_(problems) {}
  void problem(const std::string& path, const std::string& text) const {
    problems_.push_back(problem_at(find_path(root_, path), path + ": " + text));
  }
  bool has(std::string_view section) const {
    const auto* member = find_member(root_, section);
    return member && member->value.kind != Node::Kind::null;
  }

 private:
  const Node& root_;
  std::vector<Problem>& problems_;
};

std::string element(std::string_view list, std::size_t index, std::string_view key) {
  return std::string(list) + "[" + std::to_string(index) + "]." + std::string(key);
}

template <class List>
void check_distinct(const Check& check, std::string_view section, const List& list) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].name.empty()) continue;   // the reader has said that it is missing
    const auto [first, fresh] = seen.emplace(list[i].name, i);
    if (!fresh)
      check.problem(element(section, i, "name"), "'" + list[i].name + "' is the name of " + std::string(section) + "[" +
                    std::to_string(first->second) + "] already: names tell them apart: choose another");
  }
}

void check_addresses(const Check& check, const Config& config) {
  std::map<Endpoint, std::string> seen;
  const auto take = [&](const Endpoint& endpoint, const std::string& path) {
    if (endpoint.kind != Endpoint::Kind::unix_path && endpoint.port == 0) return;   // the kernel chooses: never the same
    const auto [first, fresh] = seen.emplace(endpoint, path);
    if (!fresh) check.problem(path, to_string(endpoint) + " is taken by " + first->second + " already: one address has one listener: choose another");
  };
  for (std::size_t i = 0; i < config.listen.size(); ++i)
    for (const auto& endpoint : config.listen[i].addresses) take(endpoint, element("listen", i, "address"));
  if (config.admin.address) take(*config.admin.address, "admin.address");
}

std::set<std::string> known_services(const Config& config) {
  std::set<std::string> names(protocol_names.begin(), protocol_names.end());
  for (const auto& module : config.modules) names.insert(module.service);
  for (const auto& [name, service] : config.services) names.insert(name);
  return names;
}

class ServiceCheck {
 public:
  ServiceCheck(const Check& check, const Config& config)
      : check_(check), known_(known_services(config)), candidates_(known_.begin(), known_.end()), may_grow_(check.has("registry") || check.has("bus")) {}

  void operator()(const std::string& name, const std::string& path) {
    if (name.empty() || known_.contains(name)) return;
    if (const auto near = near_miss(name))
      check_.problem(path, "no module serves '" + name + "': did you mean '" + *near + "'? otherwise list '" + name + "' under services");
    else if (!may_grow_)
      check_.problem(path, "no module serves '" + name + "': it would never answer: give a module 'service: " + name + "', or list it under services");
  }

 private:
  static constexpr std::size_t comparisons_max = 1000000;   // about a second; a file of ten thousands of wrong names gets no more advice

  std::optional<std::string> near_miss(const std::string& name) {
    if (comparisons_ + candidates_.size() > comparisons_max) return std::nullopt;
    comparisons_ += candidates_.size();
    const auto near = nearest(name, candidates_);
    const std::size_t letters_off = may_grow_ ? 1 : 2;
    return near && near->size() > 3 && edit_distance(name, *near) <= letters_off ? near : std::nullopt;
  }

  const Check& check_;
  std::set<std::string> known_;
  std::vector<std::string> candidates_;
  bool may_grow_;   // the registry may add services later
  std::size_t comparisons_ = 0;
};

void check_services(const Check& check, const Config& config) {
  ServiceCheck known(check, config);
  for (std::size_t i = 0; i < config.routes.size(); ++i) known(config.routes[i].service, element("routes", i, "service"));
  known(config.fallback, "fallback");
  for (std::size_t i = 0; i < config.limits.size(); ++i) known(config.limits[i].service.value_or(""), element("limits", i, "service"));
}

bool speaks_tls(Protocol protocol) { return protocol == Protocol::tls || protocol == Protocol::http; }

// Conditions that a protocol's first bytes can never show.
void check_conditions(const Check& check, const Route& route, std::size_t i) {
  if (!route.protocol) return;
  const auto impossible = [&](bool given, const char* key, bool possible) {
    if (given && !possible)
      check.problem(element("routes", i, key), "can never match: " + std::string(to_string(*route.protocol)) + " traffic doesn't show it: remove it or change the protocol");
  };
  const auto protocol = *route.protocol;
  impossible(route.sni.has_value(), "sni", speaks_tls(protocol));
  impossible(route.alpn.has_value(), "alpn", speaks_tls(protocol));
  impossible(route.http_host.has_value(), "http_host", protocol == Protocol::http);
  impossible(route.postgres_database.has_value(), "postgres_database", protocol == Protocol::postgresql);
  impossible(route.postgres_user.has_value(), "postgres_user", protocol == Protocol::postgresql);
}

void check_routes(const Check& check, const Config& config) {
  std::vector<std::string> listeners;
  for (const auto& listener : config.listen) listeners.push_back(listener.name);
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const auto& route = config.routes[i];
    check_conditions(check, route, i);
    if (!route.listener || std::find(listeners.begin(), listeners.end(), *route.listener) != listeners.end()) continue;
    const auto near = nearest(*route.listener, listeners);
    check.problem(element("routes", i, "listener"), "no listener is called '" + *route.listener + "': " + (near ? "did you mean '" + *near + "'?" : "name one of 'listen'"));
  }
}

bool may_match_silent(const Route& route) {   // a silent client shows its listener and its address, nothing else
  return !route.sni && !route.alpn && !route.http_host && !route.postgres_database && !route.postgres_user &&
         (!route.protocol || *route.protocol == Protocol::mysql);
}

bool is_server_first(const Listener& listener) { return listener.protocol == Protocol::mysql || listener.silent.protocol == Protocol::mysql; }

// Two services whose servers speak first on one listener: their clients are silent, so nothing tells them apart.
void check_server_first(const Check& check, const Config& config) {
  std::map<std::size_t, std::string> hidden;   // route to the listener where an earlier one always wins
  std::set<std::size_t> reached;
  for (const auto& listener : config.listen) {
    if (!is_server_first(listener)) continue;
    std::optional<std::string> winner;
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
      const auto& route = config.routes[i];
      if (!may_match_silent(route) || (route.listener && *route.listener != listener.name)) continue;
      if (winner && *winner != route.service) hidden.emplace(i, listener.name);
      else reached.insert(i);
      if (route.source.empty() && !winner) winner = route.service;
    }
  }
  for (const auto& [i, listener] : hidden)
    if (config.routes[i].protocol == Protocol::mysql && !reached.contains(i))
      check.problem(element("routes", i, "service"), "a second server-first service on listener '" + listener + "': silent clients can't be told apart: give '" +
                    config.routes[i].service + "' a listener of its own, or tell clients apart by 'source'");
}

void check_policies(const Check& check, const Config& config) {
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < config.scale.policies.size(); ++i) {
    const auto& policy = config.scale.policies[i];
    if (!policy.service.empty() && !seen.emplace(policy.service, policy.version).second)
      check.problem(element("scale.policies", i, "service"), "'" + policy.service + "' has a policy already: two would fight over its replicas: remove one");
  }
}

const Node* step_into(const Node& node, std::string_view word) {
  if (!word.starts_with('[')) {
    const auto* member = find_member(node, word);
    return member ? &member->value : nullptr;
  }
  std::size_t index = 0;
  std::from_chars(word.data() + 1, word.data() + word.size(), index);
  return node.kind == Node::Kind::list && index < node.members.size() ? &node.members[index].value : nullptr;
}

}  // namespace

const Node& find_path(const Node& root, std::string_view path) {
  const auto* at = &root;
  while (!path.empty()) {
    const auto end = std::min(path.find_first_of(".[", 1), path.size());
    const auto* next = step_into(*at, path.substr(0, end));
    if (!next || (next->line == 0 && next->from.empty())) return *at;
    at = next;
    path.remove_prefix(end);
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return *at;
}

void check_whole(const Config& config, const Node& root, std::vector<Problem>& problems) {
  const Check check(root, problems);
  check_distinct(check, "listen", config.listen);
  check_distinct(check, "modules", config.modules);
  check_distinct(check, "limits", config.limits);
  check_addresses(check, config);
  check_services(check, config);
  check_routes(check, config);
  check_server_first(check, config);
  check_policies(check, config);
}

}  // namespace nlb::config
