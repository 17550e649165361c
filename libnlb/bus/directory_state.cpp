#include "libnlb/bus/directory_state.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

constexpr std::string_view tcp = "tcp://";

std::string_view host_of(std::string_view endpoint) {      // of tcp://host:port
  const auto rest = endpoint.substr(std::min(tcp.size(), endpoint.size()));
  return rest.substr(0, rest.rfind(':'));
}

bool binds_any(std::string_view endpoint) {
  const auto host = host_of(endpoint);
  return endpoint.starts_with(tcp) && (host == "0.0.0.0" || host == "[::ffff:0.0.0.0]" || host == "[::]" || host == "*");
}

}  // namespace

bool DirectoryState::hello(OwnerEntry owner, MonoTime now) {
  if (owner.name.empty() || owner.publish.empty()) return false;
  const auto found = std::find_if(listed_.begin(), listed_.end(), [&](const Listed& l) { return l.owner.publish == owner.publish; });
  if (found != listed_.end()) {
    found->heard_at = now;
    return found->owner == owner ? false : (found->owner = std::move(owner), true);
  }
  if (listed_.size() >= directory_owners_max)
    listed_.erase(std::min_element(listed_.begin(), listed_.end(), [](const Listed& a, const Listed& b) { return a.heard_at < b.heard_at; }));
  listed_.push_back({std::move(owner), now});
  return true;
}

bool DirectoryState::tick(MonoTime now) {
  return std::erase_if(listed_, [&](const Listed& l) { return now - l.heard_at > owner_silence_max; }) > 0;
}

std::vector<OwnerEntry> DirectoryState::owners() const {
  std::vector<OwnerEntry> owners;
  for (const auto& l : listed_) owners.push_back(l.owner);
  return owners;
}

bool is_reachable(const OwnerEntry& owner, std::string_view source) {
  const auto reachable = [&](std::string_view endpoint) {
    return endpoint.starts_with(tcp) ? !binds_any(endpoint) : endpoint.starts_with("ipc://") && source.starts_with("ipc://");
  };
  return reachable(owner.publish) && reachable(owner.sync);
}

bool writes_any(const OwnerEntry& owner, const std::vector<std::string>& classes) {
  return std::any_of(topic_classes.begin(), topic_classes.end(), [&](const TopicClass& c) {
    const bool wanted = classes.empty() || std::find(classes.begin(), classes.end(), c.name) != classes.end();
    return wanted && c.owner == role_of(owner.name);
  });
}

std::string seen_from_outside(const std::string& endpoint, std::string address) {
  if (!binds_any(endpoint) || address.empty()) return endpoint;
  constexpr std::string_view mapped = "::ffff:";             // IPv4 on an IPv6 socket (RFC 4291 section 2.5.5.2)
  if (address.starts_with(mapped) && address.find('.') != std::string::npos) address.erase(0, mapped.size());
  const auto host = host_of(endpoint);
  const bool bare_ipv6 = address.find(':') != std::string::npos && address.front() != '[';
  return std::string(tcp) + (bare_ipv6 ? "[" + address + "]" : address) + endpoint.substr(tcp.size() + host.size());
}

}  // namespace nlb::bus
