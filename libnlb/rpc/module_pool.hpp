// Channels to the modules' own gRPC servers: one each, made when a module with a control address comes, gone with it. A channel dials
// when it is first used and backs off by itself (5 s a connect, keepalive 10 s / 3 s); nothing waits or locks while it dials or asks.
// What is on its way to a module that goes is cancelled; the pool's end waits for these last answers. Owner: one thread; answers come on
// gRPC's threads. None of those may let go of the process's last channel: gRPC would end the thread from within and free what it still
// uses. So every question goes back to the owner, with its channel.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/registry/health.hpp"
#include "libnlb/rpc/channel.hpp"

namespace nlb::rpc {

class ModulePool {
 public:
  struct Status { std::string module, address, state, last_error; };
  struct Counters { std::uint64_t opened = 0, closed = 0; };

  ModulePool();
  ~ModulePool();
  void add(const std::string& module, const Endpoint& control);   // another address replaces the channel
  void remove(const std::string& module);
  // grpc.health.v1.Health/Check; `service` empty asks for the whole server. not_found as an answer when there is no channel.
  void check(const std::string& module, const std::string& service, Duration timeout, std::function<void(registry::CheckAnswer)> answer);
  void let_go();     // of answered questions and the channels that only they hold; the three above do it too
  void note_error(const std::string& module, std::string error);   // shown in status()
  std::vector<Status> status() const;
  std::size_t size() const { return channels_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Question;
  struct Open;      // counts questions whose answer hasn't been told, and has those to let go of
  struct Entry { Endpoint address; std::shared_ptr<grpc::Channel> channel; std::string last_error; std::vector<std::weak_ptr<Question>> asked; };
  static void cancel(const Entry& entry);

  std::shared_ptr<Open> open_;
  std::map<std::string, Entry> channels_;
  Counters counters_;
};

}  // namespace nlb::rpc
