// Active health checks of many modules from one thread: each has a timer; when it fires, its question is asked over a fresh connection
// (or over the client pool, for gRPC) and the answer is told. The first question comes at once, the next ones an interval later, spread
// by the jitter so that checks don't march in step. At most `probes_max` connections are open; the rest wait their turn.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libnlb/registry/health.hpp"

namespace boost::asio { class io_context; }

namespace nlb::check {

inline constexpr std::size_t probes_max = 512;

struct Hooks {
  std::function<void(const std::string& module, registry::CheckAnswer)> answer;
  // Asks grpc.health.v1; may call back on any thread.
  std::function<void(const std::string& module, const registry::HealthSpec&, std::function<void(registry::CheckAnswer)>)> ask_grpc;
};

class Checker {   // belongs to the loop's thread
 public:
  Checker(boost::asio::io_context& loop, Hooks hooks, std::uint64_t seed);
  ~Checker();
  void watch(const registry::Module& module);     // again: with what has changed; a check already on its way to another address is dropped
  void forget(const std::string& module);
  void forget_all();
  struct Status { std::size_t modules = 0, open = 0, waiting = 0; std::uint64_t done = 0, failed = 0; };
  Status status() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::check
