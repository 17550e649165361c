#include "libnlb/bus/wiring.hpp"

#include <unistd.h>

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

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
  if (!config.bus.name.empty() && places.tool.starts_with(std::string(role) + "-")) name += places.tool.substr(role.size());   // --processes
  std::replace_if(name.begin(), name.end(), [](char c) { return c <= ' ' || c >= '\x7f' || c == '/'; }, '-');
  return std::string(role) + "/" + name;
}

Result<Options> wire(const config::Config& config, const config::Places& places, std::string_view role_name) {
  const auto& role = *find_role(role_name);
  Options options;
  options.subscriber.classes = classes_of(role);
  options.publish = config.bus.publish;
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
