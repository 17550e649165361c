// nlb.v1.NLBService on gRPC's callback API: checks who calls, hands each call to its owner's thread, and writes the watchers' streams.
// It decides nothing about modules. Calls that wait for their answer are bounded (calls_max), and so is each watcher's queue.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "libnlb/rpc/door.hpp"
#include "nlb/v1/registry.grpc.pb.h"

namespace nlb::rpc {

inline constexpr std::size_t calls_max = 10000;              // waiting for their answer; more are refused
inline constexpr std::size_t watch_queue_max = 10000;        // changes that one watcher may be behind
inline constexpr std::size_t watchers_max = 1000;

enum class Method : std::uint8_t { register_module, heartbeat, update_health, unregister_module, drain_module, get_stats, list_modules, watch_modules };
inline constexpr std::array<std::string_view, 8> method_names = {
    "RegisterModule", "Heartbeat", "UpdateHealth", "UnregisterModule", "DrainModule", "GetStats", "ListModules", "WatchModules"};

using Change = std::shared_ptr<const v1::ModuleChange>;      // encoded once, shared by all watchers

class Watcher {   // one open WatchModules; safe from every thread
 public:
  virtual ~Watcher() = default;
  virtual void push(Change change) = 0;                      // over watch_queue_max: ended with RESOURCE_EXHAUSTED
  virtual void allow(std::size_t more) = 0;                  // the first list doesn't count against watch_queue_max
  virtual void end(grpc::Status status) = 0;
  virtual bool over() const = 0;                             // the caller is gone, or end() was called
  const v1::WatchModulesRequest& request() const { return request_; }
  std::uint64_t told = 0;                                    // the owner's mark: ALIVE is due when nothing was pushed since

 protected:
  v1::WatchModulesRequest request_;
};

using Done = std::function<void(grpc::Status)>;              // exactly once, from any thread; the request and reply live until then
template <class Request, class Reply>
using Handler = std::function<void(const registry::Caller&, const Request&, Reply&, Done)>;

struct RegistryHandlers {   // called on gRPC's threads; must not block
  Handler<v1::RegisterModuleRequest, v1::RegisterModuleReply> register_module;
  Handler<v1::HeartbeatRequest, v1::HeartbeatReply> heartbeat;
  Handler<v1::UpdateHealthRequest, v1::UpdateHealthReply> update_health;
  Handler<v1::UnregisterModuleRequest, v1::UnregisterModuleReply> unregister_module;
  Handler<v1::DrainModuleRequest, v1::DrainModuleReply> drain_module;
  Handler<v1::GetStatsRequest, v1::GetStatsReply> get_stats;
  Handler<v1::ListModulesRequest, v1::ListModulesReply> list_modules;
  std::function<void(std::shared_ptr<Watcher>)> watch_modules;
};

class RegistryService final : public v1::NLBService::CallbackService {
 public:
  RegistryService(std::shared_ptr<const Door> door, RegistryHandlers handlers) : door_(std::move(door)), handlers_(std::move(handlers)) {}

  using Unary = grpc::ServerUnaryReactor*;
  using Context = grpc::CallbackServerContext*;
  Unary RegisterModule(Context c, const v1::RegisterModuleRequest* q, v1::RegisterModuleReply* r) override;
  Unary Heartbeat(Context c, const v1::HeartbeatRequest* q, v1::HeartbeatReply* r) override;
  Unary UpdateHealth(Context c, const v1::UpdateHealthRequest* q, v1::UpdateHealthReply* r) override;
  Unary UnregisterModule(Context c, const v1::UnregisterModuleRequest* q, v1::UnregisterModuleReply* r) override;
  Unary DrainModule(Context c, const v1::DrainModuleRequest* q, v1::DrainModuleReply* r) override;
  Unary GetStats(Context c, const v1::GetStatsRequest* q, v1::GetStatsReply* r) override;
  Unary ListModules(Context c, const v1::ListModulesRequest* q, v1::ListModulesReply* r) override;
  grpc::ServerWriteReactor<v1::ModuleChange>* WatchModules(Context c, const v1::WatchModulesRequest* q) override;

  std::uint64_t calls(Method method, grpc::StatusCode code) const { return counts_[static_cast<std::size_t>(method)][static_cast<std::size_t>(code)].load(std::memory_order_relaxed); }
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  std::size_t watchers() const { return watchers_.load(std::memory_order_relaxed); }

 private:
  class Stream;
  template <class Request, class Reply>
  Unary answer(Context context, Method method, const Handler<Request, Reply>& handler, const Request& request, Reply& reply);
  void count(Method method, const grpc::Status& status);

  std::shared_ptr<const Door> door_;
  RegistryHandlers handlers_;
  std::atomic<std::size_t> waiting_ = 0, watchers_ = 0;
  std::array<std::array<std::atomic<std::uint64_t>, 17>, method_names.size()> counts_{};      // by method and code
};

}  // namespace nlb::rpc
