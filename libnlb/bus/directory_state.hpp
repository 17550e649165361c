// The directory that the registry publishes: itself, and every owner that has said hello to it lately. No socket, no clock. An owner is
// known by its endpoint; one that says nothing for `owner_silence_max` is left out, which costs nobody who follows it anything. When the
// list is full the one that has been silent longest makes room. Thread rule: one owner, no locks.
#pragma once

#include <vector>

#include "libnlb/bus/codec_sync.hpp"

namespace nlb::bus {

inline constexpr Duration hello_period = std::chrono::seconds(30);
inline constexpr Duration owner_silence_max = std::chrono::minutes(10);
inline constexpr std::size_t directory_owners_max = 256;

class DirectoryState {
 public:
  // Both say whether owners() changed.
  bool hello(OwnerEntry owner, MonoTime now);   // refused, without effect, when it has no name or endpoint
  bool tick(MonoTime now);
  std::vector<OwnerEntry> owners() const;       // in the order in which they came

 private:
  struct Listed { OwnerEntry owner; MonoTime heard_at; };
  std::vector<Listed> listed_;
};

// Where the entry may be connected to from, by somebody who read it from `source`: a socket file of another machine is no address here,
// and neither is one that binds any address. Classes: what the reader wants (empty: all), by the owner's role.
bool is_reachable(const OwnerEntry& owner, std::string_view source);
bool writes_any(const OwnerEntry& owner, const std::vector<std::string>& classes);

// "tcp://0.0.0.0:5560" as somebody at `address` binds it is "tcp://<address>:5560" for others; everything else stays as it is.
std::string seen_from_outside(const std::string& endpoint, std::string address);

}  // namespace nlb::bus
