// One owner that we follow: its sockets at our end, and the state machine that they feed. Belongs to the bus's thread.
//
// Where its key is known (CURVE) news is asked for on a DEALER, otherwise subscribed to on a SUB (owner_end.hpp says why). Of two keys,
// while the owner changes its pair, the one that worked last is tried first; silence makes the next attempt use the other.
#pragma once

#include <memory>
#include <optional>

#include "libnlb/bus/directory_state.hpp"
#include "libnlb/bus/sockets.hpp"
#include "libnlb/bus/subscriber_state.hpp"

namespace nlb::bus {

struct PeerEndOptions {
  std::string publish, sync;
  std::vector<std::string> server_keys;  // empty: no CURVE
  KeyPair keys;                          // our own
  SubscriberOptions subscriber;
  Copy known;
  bool dynamic = false;                  // found in a directory
  int high_water_mark = 0;
};

class PeerEnd {
 public:
  PeerEnd(zmq::context_t& context, PeerEndOptions options, std::uint64_t seed, MonoTime now);   // throws zmq::error_t: the endpoint

  void add_to(std::vector<zmq::pollitem_t>& items);
  // Both tell what changed in the copy; `entry`: what we own, for this peer to know.
  std::vector<Change> serve(MonoTime now, const std::optional<OwnerEntry>& entry);
  std::vector<Change> on_time(MonoTime now, const std::optional<OwnerEntry>& entry);
  std::vector<Change> release(std::string_view topic) { return state_.release(topic).changes; }
  void set_keys(KeyPair keys, std::vector<std::string> server_keys);   // used from the next connection on; at once where there was none

  const SubscriberState& state() const { return state_; }
  const PeerEndOptions& options() const { return options_; }
  std::uint64_t undecodable() const { return undecodable_; }
  std::uint64_t reconnects_failed() const { return reconnects_failed_; }

 private:
  bool curve() const { return !options_.server_keys.empty(); }
  void connect();                        // takes the place of the old sockets once it is whole. Throws zmq::error_t
  void try_connect();
  void act(Effects effects, std::vector<Change>& changes);
  void read_news(MonoTime now, std::vector<Change>& changes);
  void read_chunks(MonoTime now, std::vector<Change>& changes);
  void say(zmq::socket_t& socket, std::string_view topic, std::string payload);
  void introduce(MonoTime now, const std::optional<OwnerEntry>& entry);

  zmq::context_t& context_;
  PeerEndOptions options_;
  SubscriberState state_;
  zmq::socket_t news_, sync_;
  std::size_t key_ = 0;                  // of server_keys: in use
  bool was_live_ = false;
  MonoTime next_hello_, next_follow_;
  std::uint64_t undecodable_ = 0, reconnects_failed_ = 0;
};

}  // namespace nlb::bus
