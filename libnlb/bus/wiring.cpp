#include "libnlb/bus/wiring.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

// "-2" in the process that calls itself "forward-2" (--processes); empty in the first, and in every tool that is alone.
std::string process_suffix(const config::Places& places, std::string_view role) {
  return places.tool.starts_with(std::string(role) + "-") ? places.tool.substr(role.size()) : std::string();
}

// Several processes have one configuration, and an endpoint is one process's: the others take the next two ports each, or their number behind
// a path that doesn't have it already ({tool}).
Result<std::string> endpoint_of(const std::string& endpoint, const config::Places& places, std::string_view role) {
  const auto suffix = process_suffix(places, role);
  if (suffix.empty() || endpoint.empty()) return endpoint;
  if (!endpoint.starts_with("tcp://")) return endpoint.find(places.tool) != std::string::npos ? endpoint : endpoint + suffix;
  const auto colon = endpoint.rfind(':');
  const auto port = std::strtoul(endpoint.c_str() + colon + 1, nullptr, 10);
  if (port == 0) return endpoint;   // any
  const auto own = port + 2 * std::strtoul(suffix.c_str() + 1, nullptr, 10);
  if (own + 1 > 65535) return fail(ErrorKind::config, "bus.publish: " + endpoint + " leaves no ports for the other processes, which take the next two each: name a smaller one");
  return endpoint.substr(0, colon + 1) + std::to_string(own);
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

// Who writes what this role reads, in the order of the table.
std::vector<std::string> well_known(const Role& role, const config::Places& places) {
  const auto wanted = classes_of(role);
  std::vector<std::string> endpoints;
  for (const auto& topic_class : topic_classes) {
    if (topic_class.owner.empty() || topic_class.owner == role.name) continue;
    if (!wanted.empty() && !std::binary_search(wanted.begin(), wanted.end(), topic_class.name, std::less<>{})) continue;
    auto endpoint = "ipc://" + places.runtime + "/" + std::string(topic_class.owner) + ".bus";
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

// "ENDPOINT" or "ENDPOINT KEYFILE".
Result<PeerOptions> to_peer(const std::string& entry, const std::string& server_key_file) {
  const auto space = entry.find(' ');
  PeerOptions peer;
  peer.publish = entry.substr(0, space);
  if (peer.publish.find("://") == std::string::npos)
    return fail(ErrorKind::config, "bus.subscribe: \"" + entry + "\" is no endpoint: give ipc:///path, tcp://address:port or tcp://address:port KEYFILE");
  const auto own_file = space == std::string::npos ? std::string() : entry.substr(entry.find_first_not_of(' ', space));
  if (peer.publish.starts_with("tcp://")) peer.server_key_file = own_file.empty() ? server_key_file : own_file;
  return peer;
}

}  // namespace

std::string name_of(const config::Config& config, const config::Places& places, std::string_view role) {
  auto name = config.bus.name.empty() ? host_name() + "-" + places.tool : config.bus.name;
  if (!config.bus.name.empty()) name += process_suffix(places, role);
  std::replace_if(name.begin(), name.end(), [](char c) { return c <= ' ' || c >= '\x7f' || c == '/'; }, '-');
  return std::string(role) + "/" + name;
}

Result<Options> wire(const config::Config& config, const config::Places& places, std::string_view role_name) {
  const auto& role = *find_role(role_name);
  Options options;
  options.subscriber.classes = classes_of(role);
  auto publish = endpoint_of(config.bus.publish, places, role_name);
  if (!publish) return tl::unexpected(publish.error());
  options.publish = std::move(*publish);
  options.insecure = config.security.insecure;
  options.secret_key_file = config.bus.curve_secret_key_file;
  options.allowed_keys_dir = config.bus.curve_allowed_keys_dir;
  for (const auto& entry : config.bus.subscribe.empty() ? well_known(role, places) : config.bus.subscribe) {
    auto peer = to_peer(entry, config.bus.curve_server_key_file);
    if (!peer) return tl::unexpected(peer.error());
    if (peer->publish != options.publish) options.peers.push_back(std::move(*peer));
  }
  return options;
}

}  // namespace nlb::bus
