// ZeroMQ sockets as the bus uses them: options, frames, and the door (ZAP, ZeroMQ RFC 27). For the bus's thread only.
#pragma once

#include <map>
#include <string>

#include <zmq.hpp>

#include "libnlb/bus/codec.hpp"
#include "libnlb/bus/keys.hpp"

namespace nlb::bus {

inline constexpr int messages_per_turn = 1000;   // from one socket before the others have their turn

void set_common_options(zmq::socket_t& socket, int high_water_mark);
void be_curve_server(zmq::socket_t& socket, const KeyPair& keys);
void be_curve_client(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key);

enum class Sent : std::uint8_t { yes, full, gone };
Sent send(zmq::socket_t& socket, const Message& message, const zmq::message_t* route = nullptr);

// Reads one whole message without waiting: its frames, or none.
std::vector<zmq::message_t> receive(zmq::socket_t& socket);
tl::expected<Message, DecodeError> message_of(const std::vector<zmq::message_t>& frames, std::size_t first);

// What ZeroMQ knows about the connection a message came by: "User-Id" (the key, of a CURVE server), "Peer-Address". Empty: nothing.
std::string property_of(zmq::message_t& frame, const char* name);

class Door {                   // answers the handshakes of CURVE servers: who has a listed key comes in, and is called by it (User-Id)
 public:
  Door(zmq::context_t& context, Readers readers);
  void set_readers(Readers readers) { readers_ = std::move(readers); }
  const Reader* find(std::string_view key) const;      // null: nobody, or nobody any more
  void serve();                // all requests that wait
  zmq::socket_t& socket() { return socket_; }
  std::uint64_t accepted = 0, refused = 0;

 private:
  void answer(const std::vector<zmq::message_t>& request);
  zmq::socket_t socket_;
  Readers readers_;
};

}  // namespace nlb::bus
