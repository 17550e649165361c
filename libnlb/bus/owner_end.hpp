// An owner's two sockets, and who may ask what of them: news, catching up, the greeting of those who come, and, for the registry, the
// directory. Belongs to the bus's thread.
//
//   ipc, or tcp that is `insecure`    news on XPUB; whoever reaches the socket may read everything (a folder's mode is the door)
//   tcp with CURVE                    news on ROUTER: a reader asks for classes (follow), and its key, known from the handshake (ZAP), says
//                                     which of them it gets. XPUB can't do that here: its manual mode keeps pointers to connections that
//                                     have ended (libzmq 4.3.4, xpub.cpp, _pending_pipes), so whoever comes and goes quickly would crash us
//
// Nobody writes by the bus: what comes in is questions, and an owner's hello, which counts only when the role of its key is the role
// that it claims, and then with the key it came with.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "libnlb/bus/directory_state.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/bus/sockets.hpp"
#include "libnlb/bus/state_dir.hpp"

namespace nlb::bus {

inline constexpr std::size_t followers_max = 10000;

struct OwnerEndOptions {
  OwnerOptions owner;
  std::string publish, sync;             // sync empty: derived
  KeyPair keys;                          // with a tcp endpoint: CURVE
  Readers readers;
  bool keeps_directory = false;
  int high_water_mark = 0;
};

struct OwnerCounters {
  std::uint64_t published = 0, slow_subscriber_drops = 0, sync_requests = 0, sync_drops = 0;
  std::uint64_t classes_refused = 0;     // asked for by a key whose role lacks them
  std::uint64_t hellos_refused = 0;
};

class OwnerEnd {
 public:
  static Result<std::unique_ptr<OwnerEnd>> open(zmq::context_t& context, OwnerEndOptions options);   // unavailable: the endpoint

  void publish(const std::string& topic, const Payload& payload, MonoTime now);
  void withdraw(const std::string& topic, MonoTime now);
  void reload(const KeyPair& keys, Readers readers);   // other keys: the sockets are bound anew, and readers come back by delta

  void add_to(std::vector<zmq::pollitem_t>& items);
  void serve(MonoTime now);              // everything that waits
  void on_time(MonoTime now);            // call every 50 ms or so
  bool greets() const { return greet_; } // somebody has just come: call soon

  OwnerEntry entry() const;              // for the directory
  const std::string& bound_publish() const { return bound_publish_; }
  const std::string& bound_sync() const { return bound_sync_; }
  const OwnerState& state() const { return state_; }
  const OwnerCounters& counters() const { return counters_; }
  const Door* door() const { return door_ ? &*door_ : nullptr; }
  std::size_t followers() const { return followers_.size(); }
  std::vector<OwnerEntry> directory() const { return directory_.owners(); }

 private:
  struct Follower { std::string key; std::vector<std::string> classes; };      // what it asked for; empty: all
  using Encoded = std::vector<std::pair<std::string, std::uint32_t>>;          // chunks' bytes and their CRC, which the asker's fields continue
  struct CachedAnswer {                  // one snapshot, encoded once for everybody who asks at this sequence number
    std::vector<std::string> classes;
    std::uint64_t seq = 0;
    Encoded chunks;
  };

  OwnerEnd(zmq::context_t& context, OwnerEndOptions options) : context_(context), options_(std::move(options)), state_(options_.owner) {}
  Result<> bind();
  void close();
  bool curve() const { return door_.has_value(); }
  const Reader* reader_of(std::vector<zmq::message_t>& frames) const;     // null: no CURVE here, or a key that isn't listed any more
  void send_news(const Update& update, MonoTime now);
  void send_beat(MonoTime now);
  Sent send_to(const zmq::message_t& route, const Message& message);
  void broadcast(const Message& message, std::string_view topic_class);
  void read_subscriptions();
  void read_follows();
  void read_requests(MonoTime now);
  void answer(zmq::message_t& route, const Reader* reader, SyncRequest request, MonoTime now);
  void hear_hello(const std::string& address, const Reader* reader, OwnerEntry owner, MonoTime now);
  void publish_directory(MonoTime now);
  Encoded encode(const SyncRequest& request, MonoTime now) const;
  const Encoded& encoded(const SyncRequest& request, MonoTime now);            // valid until the next call

  zmq::context_t& context_;
  OwnerEndOptions options_;
  OwnerState state_;
  std::optional<DirectoryLock> lock_;    // of an ipc path: a second bind to one succeeds and steals it
  std::optional<Door> door_;             // absent: no CURVE
  zmq::socket_t news_, sync_;            // null handles: being bound anew
  std::string bound_publish_, bound_sync_;
  std::map<std::string, Follower> followers_;   // by the news socket's route
  std::deque<CachedAnswer> cache_;
  Encoded delta_;
  DirectoryState directory_;
  OwnerCounters counters_;
  MonoTime next_beat_, greet_after_, next_bind_, next_hello_;
  bool greet_ = false;
};

std::string derived_sync(const std::string& publish);      // "ipc:///a.bus" -> "ipc:///a.bus.sync", "tcp://h:5560" -> "tcp://h:5561"
bool is_tcp(const std::string& endpoint);

}  // namespace nlb::bus
