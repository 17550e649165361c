#include "tools/nlb-scale/service.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "libnlb/daemon/folder.hpp"
#include "libnlb/rpc/status.hpp"
#include "nlb/v1/scale.grpc.pb.h"

namespace nlb::tool {
namespace {

using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr std::string_view unix_scheme = "unix:";
constexpr Duration loop_wait = std::chrono::seconds(10);
constexpr Duration watch_look = std::chrono::milliseconds(200), watch_period = std::chrono::seconds(1);
constexpr int watchers_max = 64;

class Service final : public v1::ScaleService::Service {
 public:
  Service(daemon::ControlLoop& loop, std::function<Controller*()> controller) : loop_(loop), controller_(std::move(controller)) {}
  void end() { ending_ = true; }

  Status SetPolicy(ServerContext*, const v1::SetPolicyRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.set_policy(*in); }); }
  Status DeletePolicy(ServerContext*, const v1::DeletePolicyRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.delete_policy(*in); }); }
  Status SetReplicas(ServerContext*, const v1::SetReplicasRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.set_replicas(*in); }); }
  Status Hold(ServerContext*, const v1::HoldRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.hold(*in); }); }
  Status Pause(ServerContext*, const v1::PauseRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.pause(*in); }); }
  Status DrainModules(ServerContext*, const v1::DrainModulesRequest* in, v1::CommandReply* out) override { return put(out, [&](auto& c) { return c.drain(*in); }); }
  Status GetPolicy(ServerContext*, const v1::GetPolicyRequest* in, v1::GetPolicyReply* out) override { return put(out, [&](auto& c) { return c.policies(in->service()); }); }
  Status GetStatus(ServerContext*, const v1::GetScaleStatusRequest* in, v1::ScaleStatus* out) override { return put(out, [&](auto& c) { return c.status(in->service()); }); }
  Status History(ServerContext*, const v1::ScaleHistoryRequest* in, v1::ScaleHistoryReply* out) override { return put(out, [&](auto& c) { return c.history(in->service(), in->limit()); }); }
  Status Explain(ServerContext*, const v1::ExplainScaleRequest* in, v1::ExplainScaleReply* out) override { return put(out, [&](auto& c) { return c.explain(in->service(), in->version()); }); }
  Status GetForecast(ServerContext*, const v1::GetForecastRequest* in, v1::Forecast* out) override {
    return put(out, [&](auto& c) { return c.forecast(in->service(), std::chrono::milliseconds(in->horizon_ms())); });
  }

  Status Watch(ServerContext* context, const v1::GetScaleStatusRequest* in, grpc::ServerWriter<v1::ScaleStatus>* writer) override {
    struct Seat { std::atomic<int>& n; ~Seat() { --n; } };
    if (++watchers_ > watchers_max) { --watchers_; return {StatusCode::RESOURCE_EXHAUSTED, "more than " + std::to_string(watchers_max) + " watchers: end one"}; }
    const Seat seat{watchers_};
    std::uint64_t told = ~std::uint64_t{0};
    for (MonoTime next{}; !context->IsCancelled() && !ending_;) {
      v1::ScaleStatus now;
      if (auto done = put(&now, [&](auto& c) { return c.status(in->service()); }); !done.ok()) return done;
      const auto at = std::chrono::steady_clock::now();
      if (now.revision() != told || at >= next) {
        if (!writer->Write(now)) return Status::OK;
        told = now.revision();
        next = at + watch_period;
      }
      std::this_thread::sleep_for(watch_look);
    }
    return Status::OK;
  }

 private:
  template <class T> static Result<T> as_result(T value) { return value; }
  template <class T> static Result<T> as_result(Result<T> value) { return value; }

  // `ask` refers to the caller's request: the lock keeps the caller here while it runs.
  template <class Out, class Ask> Status put(Out* out, Ask ask) {
    struct Shared { std::mutex mutex; bool given_up = false; std::promise<Result<Out>> promise; };
    auto shared = std::make_shared<Shared>();
    auto future = shared->promise.get_future();
    loop_.post([shared, ask, this] {
      const std::lock_guard lock(shared->mutex);       // the caller waits for us from here, so what `ask` refers to is alive
      if (shared->given_up) return;
      auto* controller = controller_();
      if (controller == nullptr) shared->promise.set_value(fail(ErrorKind::unavailable, "nlb-scale does not lead (any more): ask the one that does"));
      else shared->promise.set_value(as_result(ask(*controller)));
    });
    const auto end = std::chrono::steady_clock::now() + loop_wait;
    while (future.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
      if (!ending_ && std::chrono::steady_clock::now() < end) continue;
      const std::lock_guard lock(shared->mutex);
      if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) break;
      shared->given_up = true;
      return {StatusCode::UNAVAILABLE, ending_ ? "nlb-scale is ending: start it again" : "nlb-scale is too busy to answer: try again"};
    }
    auto result = future.get();
    if (!result) return rpc::to_status(result.error());
    *out = std::move(*result);
    return Status::OK;
  }

  daemon::ControlLoop& loop_;
  std::function<Controller*()> controller_;
  std::atomic<bool> ending_{false};
  std::atomic<int> watchers_{0};
};

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with("localhost:"); }

}  // namespace

struct ScaleServer::Impl {
  Impl(daemon::ControlLoop& loop, std::function<Controller*()> controller) : service(loop, std::move(controller)) {}
  Service service;
  std::unique_ptr<grpc::Server> server;
  std::string socket;
};

Result<std::unique_ptr<ScaleServer>> ScaleServer::start(const std::string& address, bool insecure, daemon::ControlLoop& loop, std::function<Controller*()> controller) {
  auto impl = std::make_unique<Impl>(loop, std::move(controller));
  if (address.starts_with(unix_scheme)) {
    impl->socket = address.substr(unix_scheme.size());
    if (auto made = daemon::make_folder_of(impl->socket); !made) return tl::unexpected(made.error());
    std::error_code error;
    std::filesystem::remove(impl->socket, error);        // of a process that was killed: the store's lock says that it is gone
  } else if (!insecure && !is_loopback(address)) {
    return fail(ErrorKind::config, "scale.grpc " + address + " is open to other machines without TLS: use unix:/path or a loopback address, or set security.insecure");
  }
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&impl->service);
  impl->server = builder.BuildAndStart();
  if (!impl->server) return fail(ErrorKind::unavailable, "scale.grpc " + address + " can't be bound: does its folder exist, and is it free? Set scale.grpc");
  if (!impl->socket.empty()) ::chmod(impl->socket.c_str(), 0660);
  return std::unique_ptr<ScaleServer>(new ScaleServer(std::move(impl)));
}

ScaleServer::ScaleServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ScaleServer::~ScaleServer() {
  impl_->service.end();
  impl_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
}

}  // namespace nlb::tool
