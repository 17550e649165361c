// A wire between a gRPC client and a server, without TLS, that knows HTTP/2's frames (RFC 9113, section 4.1) well enough to count those
// that keepalive is made of, and that can fall silent: its connections stay open, and nothing comes through any more.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

namespace nlb::testing {

inline int loopback_socket(std::uint16_t port, bool listens) {      // port 0: any
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool good = listens ? ::bind(fd, generic, sizeof address) == 0 && ::listen(fd, 8) == 0 : ::connect(fd, generic, sizeof address) == 0;
  REQUIRE(good);
  return fd;
}

class FrameCounter {      // of one direction
 public:
  std::atomic<int> pings = 0, goaways = 0;      // acknowledgements of pings aren't pings
  explicit FrameCounter(bool of_client) : skip_(of_client ? 24 : 0) {}      // the client's preface
  void see(std::string_view bytes) {
    for (const char c : bytes) {
      if (skip_ > 0) {
        --skip_;
        continue;
      }
      head_ += c;
      if (head_.size() < 9) continue;
      const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(head_[i]); };
      skip_ = static_cast<std::size_t>(byte(0) << 16 | byte(1) << 8 | byte(2));
      if (byte(3) == 6 && (byte(4) & 1) == 0) ++pings;
      if (byte(3) == 7) ++goaways;
      head_.clear();
    }
  }

 private:
  std::size_t skip_;
  std::string head_;
};

class Wire {      // of one connection; a second one waits in the queue, and is never served
 public:
  FrameCounter from_client{true}, from_server{false};
  std::atomic<bool> silent = false, server_closed = false;

  explicit Wire(std::uint16_t server_port) : server_port_(server_port), listener_(loopback_socket(0, true)), thread_([this] { run(); }) {}
  ~Wire() {
    over_ = true;
    thread_.join();
    for (const int fd : {listener_, client_, server_})
      if (fd >= 0) ::close(fd);
  }
  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

 private:
  void run() {
    while (!over_ && !server_closed) {
      pollfd ready[] = {{client_ < 0 ? listener_ : silent ? -1 : client_, POLLIN, 0}, {server_, POLLIN, 0}};
      if (::poll(ready, 2, 20) <= 0) continue;
      if (client_ < 0) {
        client_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        server_ = loopback_socket(server_port_, false);
        continue;
      }
      if (ready[0].revents != 0) pass(client_, server_, from_client);
      if (ready[1].revents != 0 && !pass(server_, client_, from_server)) server_closed = true;
    }
  }
  bool pass(int from, int to, FrameCounter& counter) {      // false: it has closed
    char bytes[4096];
    const auto got = ::recv(from, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    if (silent) return true;                                // into the void
    counter.see({bytes, static_cast<std::size_t>(got)});
    return ::send(to, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
  }

  std::uint16_t server_port_;
  int listener_, client_ = -1, server_ = -1;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace nlb::testing
