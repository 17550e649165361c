// Owners and subscribers over real sockets, for the tests of the bus.
#pragma once

#include <catch2/catch.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "libnlb/bus/bus.hpp"

namespace nlb::testing {

using namespace nlb::bus;
using Clock = std::chrono::steady_clock;

struct Folder {                // a short path: ipc names have at most 107 bytes
  std::string path;
  Folder() {
    char name[] = "/tmp/nlb-bus-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  std::string ipc(const std::string& name = "r") const { return "ipc://" + path + "/" + name; }
};

class Copied {                 // what a subscriber's callback has seen; waits for it, with a limit
 public:
  void take(const PeerChange& change) {
    std::lock_guard lock(mutex_);
    for (const auto& c : change.changes) {
      if (c.kind == Change::Kind::gone) values_.erase(c.topic);
      else values_[c.topic] = *c.payload;
    }
    changed_.notify_all();
  }
  template <class Predicate>
  bool wait(Predicate predicate, Duration limit = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return predicate(values_); });
  }
  std::string value(const std::string& topic) {
    std::lock_guard lock(mutex_);
    return values_.contains(topic) ? values_.at(topic) : "";
  }
  bool wait_value(const std::string& topic, const std::string& value, Duration limit = 10s) {
    return wait([&](const auto& values) { return values.contains(topic) && values.at(topic) == value; }, limit);
  }
 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> values_;
};

template <class Predicate>
bool eventually(Predicate predicate, Duration limit = 10s) {
  for (const auto end = Clock::now() + limit; Clock::now() < end; std::this_thread::sleep_for(5ms))
    if (predicate()) return true;
  return predicate();
}

// Two that follow each other, for an owner whose reader derives the second from the first.
inline int free_pair_of_ports() {
  const auto bound = [](int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool done = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    return done;
  };
  for (int port = 20000 + ::getpid() % 5000 * 2;; port += 2)
    if (bound(port) && bound(port + 1)) return port;
}

inline std::unique_ptr<Bus> own(const std::string& endpoint, std::uint64_t epoch = 1, Options options = {}) {
  if (!options.owner) options.owner = OwnerOptions{.id = 1, .name = "registry", .epoch = epoch, .beat_interval = 200ms};
  options.publish = endpoint;
  auto bus = Bus::start(std::move(options), {});
  if (!bus) FAIL(bus.error().text);
  return std::move(*bus);
}

inline std::unique_ptr<Bus> listen(const std::string& endpoint, Copied& copied, Options options = {}) {
  options.subscriber.beat_interval = 200ms;
  if (options.peers.empty()) options.peers.push_back({endpoint});
  auto bus = Bus::start(std::move(options), [&copied](const PeerChange& change) { copied.take(change); });
  if (!bus) FAIL(bus.error().text);
  return std::move(*bus);
}

}  // namespace nlb::testing
