// All owners that a process follows: those that its configuration names, and those that a directory of theirs lists and that write what is
// wanted here. What their copies say becomes one word per key (merge_state.hpp). Belongs to the bus's thread.
//
// An owner found in a directory stays for as long as this process lives, however the directory changes: a registry that restarts and
// lists nobody takes nothing away. At `dynamic_peers_max` the one that has been silent longest makes room, if none of its facts is of a
// guarded class; otherwise the new one is turned away and counted.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "libnlb/bus/merge_state.hpp"
#include "libnlb/bus/peer_end.hpp"

namespace nlb::bus {

inline constexpr std::size_t dynamic_peers_max = 256;

struct PeersOptions {
  SubscriberOptions subscriber;          // with `directory` among its classes, where directories are followed
  KeyPair keys;
  std::map<std::string, Copy> known;     // by publish endpoint: of peers that a directory will name
  bool merged = true;                    // false: every owner's word as it comes
  bool show_directory = false;           // tell `directory`, too; it was asked for
  bool follow_directory = true;
  bool insecure = false;
  int high_water_mark = 0;
};

struct PeersCounters { std::uint64_t turned_away = 0; };

class Peers {
 public:
  using Tell = std::function<void(const std::string& peer, std::vector<Change> changes)>;

  Peers(zmq::context_t& context, PeersOptions options, std::uint64_t seed, Tell tell);

  Result<> add(PeerEndOptions options, MonoTime now);      // config: the endpoint is none
  void follow_known(MonoTime now);                         // the directories among what was preloaded; call once, after the last add()

  // Those of a directory that write what is wanted here and aren't followed yet; `source`: who keeps it.
  void follow(const std::vector<OwnerEntry>& owners, const std::string& source_name, const std::string& source_endpoint, MonoTime now);

  void add_to(std::vector<zmq::pollitem_t>& items);
  void serve(MonoTime now, const std::optional<OwnerEntry>& own);
  void on_time(MonoTime now, const std::optional<OwnerEntry>& own);
  void release(const std::string& topic);
  void set_keys(const KeyPair& keys, const std::function<std::vector<std::string>(const std::string& publish)>& server_keys_of);

  const std::vector<std::unique_ptr<PeerEnd>>& ends() const { return ends_; }      // null: a free place
  const MergeState& merge() const { return merge_; }
  const PeersCounters& counters() const { return counters_; }
  std::map<std::string, Copy> copies() const;

 private:
  void take(std::size_t number, std::vector<Change> heard, MonoTime now);
  void read_directory(std::size_t source, const std::string& payload, MonoTime now);
  bool is_new(const OwnerEntry& owner, const std::string& source_name) const;
  bool make_room();
  void place(std::unique_ptr<PeerEnd> end);
  void say(const std::string& peer, std::vector<Change> changes);

  zmq::context_t& context_;
  PeersOptions options_;
  std::uint64_t seed_;
  Tell tell_;
  std::vector<std::unique_ptr<PeerEnd>> ends_;   // by the merge's number
  MergeState merge_;
  std::string own_publish_, own_name_;
  PeersCounters counters_;
};

}  // namespace nlb::bus
