// nlb.v1.DeployService on top of the controller: gRPC's threads ask, the controller's thread answers.
//
// Watch is one server stream per caller: the state at once, on every change, and every second; with until_end it ends when no rollout
// runs any more, or when one waits for a person. gRPC cuts connections of a certain age: who watches opens the stream again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "libnlb/deploy/controller.hpp"
#include "libnlb/rpc/door.hpp"
#include "nlb/v1/deploy.grpc.pb.h"

namespace nlb::deploy {

inline constexpr Duration answer_timeout = std::chrono::seconds(15);   // of the controller's thread, which may wait for the store
inline constexpr std::size_t watchers_max = 256;

// Wakes watchers; any thread.
class Pulse {
 public:
  void beat();
  void end();                                            // nobody waits any more
  bool wait(std::uint64_t& seen, Duration limit);        // until a beat after `seen`; false: the end
  bool ended() const;
 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t beats_ = 0;
  bool ended_ = false;
};

class Service final : public v1::DeployService::Service {
 public:
  using Work = std::function<void(Controller*, MonoTime)>;   // null: this copy doesn't lead
  struct Owner {                                             // how to reach the controller
    std::function<void(Work)> post;                          // runs it on the controller's thread; may forget it, once the pulse has ended
    std::function<std::string()> leader;                     // who leads, when we don't; any thread
  };
  Service(Owner owner, Pulse& pulse, std::shared_ptr<const rpc::Door> door) : owner_(std::move(owner)), pulse_(pulse), door_(std::move(door)) {}

  using Context = grpc::ServerContext;
  grpc::Status Init(Context* context, const v1::InitRequest* request, v1::CommandReply* reply) override;
  grpc::Status Switch(Context* context, const v1::SwitchRequest* request, v1::CommandReply* reply) override;
  grpc::Status StartCanary(Context* context, const v1::StartCanaryRequest* request, v1::CommandReply* reply) override;
  grpc::Status ControlCanary(Context* context, const v1::ControlCanaryRequest* request, v1::CommandReply* reply) override;
  grpc::Status Rollback(Context* context, const v1::RollbackRequest* request, v1::CommandReply* reply) override;
  grpc::Status SetWeight(Context* context, const v1::SetWeightRequest* request, v1::CommandReply* reply) override;
  grpc::Status Undo(Context* context, const v1::UndoRequest* request, v1::CommandReply* reply) override;
  grpc::Status Get(Context* context, const v1::GetDeployRequest* request, v1::DeployStatus* reply) override;
  grpc::Status Watch(Context* context, const v1::WatchDeployRequest* request, grpc::ServerWriter<v1::DeployStatus>* writer) override;
  grpc::Status List(Context* context, const v1::ListDeployRequest* request, v1::ListDeployReply* reply) override;
  grpc::Status History(Context* context, const v1::DeployHistoryRequest* request, v1::DeployHistoryReply* reply) override;
  grpc::Status Explain(Context* context, const v1::ExplainDeployRequest* request, v1::ExplainDeployReply* reply) override;

 private:
  template <class Reply>
  grpc::Status ask(const std::function<Result<Reply>(Controller&, MonoTime)>& question, Reply& reply);
  template <class Request>
  grpc::Status command(Context* context, const Request& request, v1::CommandReply& reply, Controller::Reply (Controller::*verb)(const Request&, MonoTime));
  grpc::Status admit(const Context& context, const std::string* service) const;

  Owner owner_;
  Pulse& pulse_;
  std::shared_ptr<const rpc::Door> door_;
  std::atomic<std::size_t> watchers_{0};
};

}  // namespace nlb::deploy
