// A process's end of the bus: publishes its own facts and follows its peers'. One thread owns all sockets; publish() and the rest may be
// called from any thread, and what changes is told by a callback on the bus's thread (post it onward, don't work there).
//
//   owner       owner_end.hpp: news, catching up, who may read what       peers    peers.hpp: one word per key out of all owners' copies
//   endpoints   news at `ipc:///run/nlb/registry.bus`, catching up at the same with ".sync"; for tcp the next port
//
// tcp needs CURVE at both ends, and the owner knows its readers by key; without, it refuses to start unless `insecure`. wiring.hpp makes
// the options from a configuration. Here are only the thread, time, and the queue between threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libnlb/bus/keys.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/bus/subscriber_state.hpp"

namespace nlb::bus {

inline constexpr int high_water_mark = 10000;             // messages a peer may be behind before it loses some (and catches up)
inline constexpr std::size_t commands_max = 200000;       // waiting between the threads

struct PeerOptions {
  std::string publish{};                 // endpoint of its news
  std::string sync{};                    // empty: derived from `publish`
  std::vector<std::string> server_keys{};   // Z85: the one in use, and the next; empty: from the file, or no CURVE
  std::string server_key_file{};         // read at start and by reload_keys()
  Copy known{};                          // from this process's own disk
};

struct Options {
  std::optional<OwnerOptions> owner;     // absent: only listens
  std::string publish, sync;             // where the owner binds; sync empty: derived
  std::vector<PeerOptions> peers;        // the earlier one's word counts first
  std::map<std::string, Copy> known;     // by endpoint, from this process's own disk: of peers that a directory names
  SubscriberOptions subscriber;
  KeyPair keys;                          // empty: from the file, or no CURVE
  std::string secret_key_file, allowed_keys_dir;   // read at start and by reload_keys(); the second: who may read from this owner over tcp
  bool keeps_directory = false;          // the registry does
  bool follow_directory = true;          // connect to the owners that peers list
  bool merged = true;                    // false: every owner's word as it comes, for people
  bool insecure = false;                 // tcp without CURVE
  int high_water_mark = bus::high_water_mark;
};

struct PeerChange { std::string peer; std::vector<Change> changes; };      // peer: whose word brought it about, by its publish endpoint

struct PeerStatus {
  std::string peer, owner_name;
  bool dynamic = false;                  // found in a directory
  SubscriberState::Phase phase = SubscriberState::Phase::connect;
  std::uint64_t epoch = 0;
  Duration age{};                        // since the last word from the owner
  std::size_t facts = 0, quarantined = 0;
  std::vector<std::string> refused_classes;      // our key's role lacks them
  std::uint64_t undecodable = 0;
  SubscriberCounters counters;
};
struct Status {
  std::string publish, sync;             // as bound; empty when this process owns nothing
  bool open_to_strangers = false;        // tcp without CURVE
  std::uint64_t epoch = 0, head_seq = 0, published = 0, slow_subscriber_drops = 0, sync_requests = 0, sync_drops = 0,
                reconnects_failed = 0;   // descriptors had run out; the old sockets stay
  std::uint64_t curve_accepted = 0, curve_refused = 0, classes_refused = 0, hellos_refused = 0, fence_refused = 0, turned_away = 0;
  std::size_t followers = 0, facts = 0, kept = 0;      // facts: over all owners; kept: of an owner's earlier life elsewhere, in quarantine
  std::set<std::string, std::less<>> conflicts;        // keys that several owners name
  std::vector<OwnerEntry> directory;     // as this process keeps it
  std::vector<PeerStatus> peers;
};

class Bus {
 public:
  using OnChange = std::function<void(PeerChange)>;

  // Reads the keys, binds, connects and starts the thread; returns when the owner's sockets are bound. Take the directory's lock first
  // (state_dir.hpp). What is known from the disk is in known(), not told to on_change.
  static Result<std::unique_ptr<Bus>> start(Options options, OnChange on_change);
  ~Bus();

  const std::vector<Change>& known() const;                    // what the preloaded copies amount to
  Result<> publish(std::string topic, std::string payload);
  Result<> withdraw(std::string topic);
  Result<> release(std::string topic);                         // a quarantined key that its holder no longer believes
  Result<> reload_keys();                                      // reads all key files again; an error leaves the old in force
  Status status() const;                                       // at most 200 ms old
  std::map<std::string, Copy> copies() const;                  // by peer, for the process's own disk; waits for the bus's thread

 private:
  struct Impl;
  explicit Bus(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::bus
