#include "libnlb/bus/sockets.hpp"

#include <zmq_addon.hpp>

namespace nlb::bus {

namespace {
constexpr auto zap_endpoint = "inproc://zeromq.zap.01";
constexpr auto zap_domain = "nlb.bus";

Bytes bytes_of(const zmq::message_t& frame) { return {static_cast<const std::uint8_t*>(frame.data()), frame.size()}; }

// The payload is shared, not copied: the message holds a reference until the last peer has been sent to.
zmq::message_t shared_frame(const Payload& payload) {
  if (!payload) return {};
  auto* keep = new Payload(payload);
  return {const_cast<char*>(payload->data()), payload->size(), [](void*, void* hint) { delete static_cast<Payload*>(hint); }, keep};
}
}  // namespace

void set_common_options(zmq::socket_t& socket, int high_water) {
  socket.set(zmq::sockopt::sndhwm, high_water);
  socket.set(zmq::sockopt::rcvhwm, high_water);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::handshake_ivl, 5000);
  socket.set(zmq::sockopt::reconnect_ivl, 100);
  socket.set(zmq::sockopt::reconnect_ivl_max, 5000);
  socket.set(zmq::sockopt::heartbeat_ivl, 2000);
  socket.set(zmq::sockopt::heartbeat_timeout, 6000);
  socket.set(zmq::sockopt::heartbeat_ttl, 6000);
  socket.set(zmq::sockopt::tcp_maxrt, 10000);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(payload_bytes_max));
  socket.set(zmq::sockopt::ipv6, 1);
}

void be_curve_server(zmq::socket_t& socket, const KeyPair& keys) {
  socket.set(zmq::sockopt::curve_server, 1);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  socket.set(zmq::sockopt::zap_domain, zap_domain);      // without a domain, libzmq asks nobody and lets every key in
}

void be_curve_client(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key) {
  socket.set(zmq::sockopt::curve_serverkey, server_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

Sent send(zmq::socket_t& socket, const Message& message, const zmq::message_t* route) {
  const auto header = encode(message.header);
  std::vector<zmq::message_t> frames;
  if (route) frames.emplace_back(route->data(), route->size());
  frames.emplace_back(message.topic.data(), message.topic.size());
  frames.emplace_back(header.data(), header.size());
  frames.push_back(shared_frame(message.payload));
  try {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      if (!socket.send(frames[i], more | zmq::send_flags::dontwait)) return Sent::full;      // only the first frame can fail
    }
  } catch (const zmq::error_t&) {
    return Sent::gone;         // EHOSTUNREACH of a mandatory router: the asker has left
  }
  return Sent::yes;
}

std::vector<zmq::message_t> receive(zmq::socket_t& socket) {
  std::vector<zmq::message_t> frames;
  if (!zmq::recv_multipart(socket, std::back_inserter(frames), zmq::recv_flags::dontwait)) frames.clear();
  return frames;
}

tl::expected<Message, DecodeError> message_of(const std::vector<zmq::message_t>& frames, std::size_t first) {
  if (frames.size() != first + 3) return tl::unexpected(DecodeError::short_header);
  return decode(bytes_of(frames[first]), bytes_of(frames[first + 1]), bytes_of(frames[first + 2]));
}

std::string property_of(zmq::message_t& frame, const char* name) {
  const char* value = zmq_msg_gets(frame.handle(), name);
  return value ? value : "";
}

Door::Door(zmq::context_t& context, Readers readers) : socket_(context, zmq::socket_type::rep), readers_(std::move(readers)) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(zap_endpoint);
}

const Reader* Door::find(std::string_view key) const {
  const auto found = readers_.find(key);
  return found == readers_.end() ? nullptr : &found->second;
}

void Door::serve() {
  for (auto request = receive(socket_); !request.empty(); request = receive(socket_)) answer(request);
}

void Door::answer(const std::vector<zmq::message_t>& request) {
  char key[41] = {};           // version, request id, domain, address, identity, mechanism, credentials
  if (request.size() == 7 && request[5].to_string_view() == "CURVE" && request[6].size() == 32)
    zmq_z85_encode(key, static_cast<const std::uint8_t*>(request[6].data()), 32);
  const bool known = find(key) != nullptr;
  ++(known ? accepted : refused);
  const auto id = request.size() > 1 ? request[1].to_string() : std::string();
  const std::array<std::string, 6> reply = {"1.0", id, known ? "200" : "400", known ? "OK" : "this key is not listed", known ? key : "", ""};
  for (std::size_t i = 0; i < reply.size(); ++i)
    socket_.send(zmq::buffer(reply[i]), i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

}  // namespace nlb::bus
