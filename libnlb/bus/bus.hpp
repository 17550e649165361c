// A process's end of the bus: publishes its own facts and holds copies of its peers'. One thread owns all sockets; publish() and the
// rest may be called from any thread, and what changes is told by a callback on the bus's thread (post it onward, don't work there).
//
//   owner       XPUB for news, ROUTER for catching up        subscriber   SUB and DEALER per peer, thrown away and made anew when stale
//   endpoints   news at `ipc:///run/nlb/registry.bus`, catching up at the same with ".sync"; for tcp the next port
//
// tcp needs CURVE at both ends, and the owner knows its readers by key (ZAP); without, it refuses to start unless `insecure`.
// The decisions are owner_state's and subscriber_state's; here are only sockets, time and the queue between threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/bus/keys.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/bus/subscriber_state.hpp"

namespace nlb::bus {

inline constexpr int high_water_mark = 10000;             // messages a peer may be behind before it loses some (and catches up)
inline constexpr std::size_t commands_max = 200000;       // waiting between the threads

struct PeerOptions {
  std::string publish;                   // endpoint of its news
  std::string sync;                      // empty: derived from `publish`
  std::string server_key;                // Z85; empty: no CURVE
  Copy known;                            // from this process's own disk
};

struct Options {
  std::optional<OwnerOptions> owner;     // absent: only listens
  std::string publish, sync;             // where the owner binds; sync empty: derived
  std::vector<PeerOptions> peers;
  SubscriberOptions subscriber;
  KeyPair keys;                          // empty: no CURVE
  std::string allowed_keys_dir;          // whose keys may read from this owner over tcp
  bool insecure = false;                 // tcp without CURVE
  int high_water_mark = bus::high_water_mark;
};

struct PeerChange { std::string peer; std::vector<Change> changes; };      // peer: its publish endpoint; changes admitted by the fence

struct PeerStatus {
  std::string peer, owner_name;
  SubscriberState::Phase phase = SubscriberState::Phase::connect;
  std::uint64_t epoch = 0;
  Duration age{};                        // since the last word from the owner
  std::size_t facts = 0, quarantined = 0;
  std::uint64_t undecodable = 0;
  SubscriberCounters counters;
};
struct Status {
  std::string publish, sync;             // as bound; empty when this process owns nothing
  std::uint64_t epoch = 0, head_seq = 0, published = 0, slow_subscriber_drops = 0, sync_requests = 0, sync_drops = 0,
                reconnects_failed = 0;   // descriptors had run out; the old sockets stay
  std::uint64_t curve_accepted = 0, curve_refused = 0, fence_refused = 0;
  std::vector<PeerStatus> peers;
};

std::string derived_sync(const std::string& publish);      // "ipc:///a.bus" -> "ipc:///a.bus.sync", "tcp://h:5560" -> "tcp://h:5561"

class Bus {
 public:
  using OnChange = std::function<void(PeerChange)>;

  // Binds, connects and starts the thread; returns when the owner's sockets are bound. Take the directory's lock first (state_dir.hpp).
  static Result<std::unique_ptr<Bus>> start(Options options, OnChange on_change);
  ~Bus();

  Result<> publish(std::string topic, std::string payload);
  Result<> withdraw(std::string topic);
  Result<> release(std::string peer, std::string topic);      // a quarantined key that its holder no longer believes
  Result<> reload_keys();                                      // reads allowed_keys_dir again; readers that are gone can't reconnect
  Status status() const;                                       // at most 200 ms old
  std::map<std::string, Copy> copies() const;                  // by peer, for the process's own disk; waits for the bus's thread

 private:
  struct Impl;
  explicit Bus(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::bus
