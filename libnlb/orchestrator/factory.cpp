#include "libnlb/orchestrator/factory.hpp"

#include <array>
#include <filesystem>
#include <fstream>

#include "libnlb/orchestrator/docker_driver.hpp"
#include "libnlb/orchestrator/exec_driver.hpp"
#include "libnlb/orchestrator/kubernetes_driver.hpp"
#include "libnlb/orchestrator/observe_driver.hpp"
#include "libnlb/orchestrator/process_driver.hpp"

namespace nlb::orchestrator {
namespace {

using Made = Result<std::unique_ptr<Driver>>;
struct Wish { const config::ScaleTarget& target; const std::string &service, &version; const Places& places; std::uint64_t seed; };

std::string variable(const Wish& wish, const char* name) { return wish.places.environment ? wish.places.environment(name) : std::string(); }
std::string or_else(const std::string& given, std::string otherwise) { return given.empty() ? std::move(otherwise) : given; }

Made process(const Wish& wish) {
  ProcessOptions options;
  options.service = wish.service;
  options.version = wish.version;
  options.command = wish.target.command;
  options.environment = wish.target.environment;
  options.state_folder = wish.places.state_folder;
  options.log_folder = wish.places.log_folder;
  options.ready_by_port = wish.target.ready_by_port;
  options.log_bytes_max = wish.target.log_bytes_max;
  options.seed = wish.seed;
  return ProcessDriver::start(std::move(options));
}

// The well-known sockets: Docker's, then Podman's of the system.
Result<std::string> engine_socket(const Wish& wish) {
  constexpr std::string_view scheme = "unix://";
  auto given = or_else(wish.target.socket, variable(wish, "DOCKER_HOST"));
  if (given.starts_with(scheme)) given.erase(0, scheme.size());
  if (given.starts_with('/')) return given;
  if (!given.empty())
    return fail(ErrorKind::config, "target docker: socket '" + given + "' isn't a path: only Unix sockets are spoken to, such as /run/docker.sock");
  for (const char* path : {"/var/run/docker.sock", "/run/podman/podman.sock"})
    if (std::filesystem::exists(path)) return path;
  return fail(ErrorKind::config, "target docker: no engine's socket at /var/run/docker.sock or /run/podman/podman.sock: start the engine, or name target.docker.socket");
}

Made docker(const Wish& wish) {
  if (wish.target.image.empty()) return fail(ErrorKind::config, "target docker has no image: add 'image: ...'");
  auto socket = engine_socket(wish);
  if (!socket) return tl::unexpected(socket.error());
  DockerOptions options;
  options.service = wish.service;
  options.version = wish.version;
  options.image = wish.target.image;
  options.network = wish.target.network;
  options.command = wish.target.command;
  options.environment = wish.target.environment;
  options.socket = std::move(*socket);
  options.seed = wish.seed;
  return std::make_unique<DockerDriver>(std::move(options));
}

// Where a pod finds its API server and account (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::string own_url(const Wish& wish) {
  auto host = variable(wish, "KUBERNETES_SERVICE_HOST");
  if (host.empty()) return {};
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "https://" + host + ":" + or_else(variable(wish, "KUBERNETES_SERVICE_PORT"), "443");
}

std::string own_namespace() {
  std::ifstream file(account + "namespace");
  std::string name;
  std::getline(file, name);
  return or_else(name, "default");
}

struct Url { Endpoint server; bool tls = true; };
Result<Url> parse_url(std::string url) {
  const bool tls = url.starts_with("https://");
  const auto wrong = [&](const std::string& why) {
    return fail(ErrorKind::config, "target kubernetes: url '" + url + "' " + why + ": write https://host:port");
  };
  if (url.empty()) return fail(ErrorKind::config, "target kubernetes has no url, and this isn't a pod (KUBERNETES_SERVICE_HOST is absent): add 'url: https://host:port'");
  if (!tls && !url.starts_with("http://")) return wrong("isn't https:// or http://");
  auto rest = url.substr(tls ? 8 : 7);
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.find('/') != std::string::npos) return wrong("has a path");
  if (rest.rfind(':') == std::string::npos || rest.ends_with(']')) rest += tls ? ":443" : ":80";
  auto server = parse_endpoint(rest);
  if (!server) return wrong("has no usable address (" + server.error().text + ")");
  return Url{*server, tls};
}

Made kubernetes(const Wish& wish) {
  const auto url = parse_url(or_else(wish.target.url, own_url(wish)));
  if (!url) return tl::unexpected(url.error());
  KubernetesOptions options;
  options.server = url->server;
  options.tls = url->tls;
  options.name_space = or_else(wish.target.name_space, own_namespace());
  options.deployment = or_else(wish.target.name, wish.service);
  options.version = wish.version;
  options.token_file = or_else(wish.target.token_file, url->tls ? account + "token" : "");
  options.ca_file = or_else(wish.target.ca_file, account + "ca.crt");
  options.take_over = wish.target.take_over;
  return KubernetesDriver::open(std::move(options));
}

Made exec(const Wish& wish) {
  if (wish.target.command.empty()) return fail(ErrorKind::config, "target exec has no command: add 'command: [program, argument, ...]'");
  return std::make_unique<ExecDriver>(ExecOptions{wish.service, wish.version, wish.target.command, wish.target.environment});
}

Made observe(const Wish&) { return std::make_unique<ObserveDriver>(); }

struct Kind { std::string_view name; Made (*make)(const Wish&); };
constexpr std::array<Kind, 5> kinds = {{{"process", process}, {"docker", docker}, {"kubernetes", kubernetes}, {"exec", exec}, {"observe", observe}}};

}  // namespace

Result<std::unique_ptr<Target>> make_target(const config::ScaleTarget& wanted, const std::string& service, const std::string& version,
                                            const Places& places, Target::Post post, TargetOptions options) {
  for (const auto& kind : kinds) {
    if (kind.name != wanted.kind) continue;
    auto driver = kind.make({wanted, service, version, places, options.seed});
    if (!driver) return tl::unexpected(Error{driver.error().kind, "service '" + service + "': " + driver.error().text});
    return std::make_unique<Target>(std::move(*driver), options, std::move(post));
  }
  return fail(ErrorKind::config, "service '" + service + "': unknown target '" + wanted.kind + "': use process, docker, kubernetes, exec or observe");
}

}  // namespace nlb::orchestrator
