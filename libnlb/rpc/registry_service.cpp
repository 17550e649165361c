#include "libnlb/rpc/registry_service.hpp"

namespace nlb::rpc {

void RegistryService::count(Method method, const grpc::Status& status) {
  const auto code = static_cast<std::size_t>(status.error_code());
  auto& of_method = counts_[static_cast<std::size_t>(method)];
  of_method[code < of_method.size() ? code : std::size_t{grpc::UNKNOWN}].fetch_add(1, std::memory_order_relaxed);
}

template <class Request, class Reply>
RegistryService::Unary RegistryService::answer(Context context, Method method, const Handler<Request, Reply>& handler, const Request& request,
                                               Reply& reply) {
  auto* reactor = context->DefaultReactor();
  const auto finish = [this, method, reactor](grpc::Status status) {
    count(method, status);
    reactor->Finish(std::move(status));
  };
  const auto caller = door_->admit(*context);
  if (!caller) {
    finish(caller.error());
    return reactor;
  }
  if (waiting_.fetch_add(1) >= calls_max) {
    waiting_.fetch_sub(1);
    finish({grpc::RESOURCE_EXHAUSTED, "the registry is busy: " + std::to_string(calls_max) + " calls wait for their answer: try again in a second"});
    return reactor;
  }
  handler(*caller, request, reply, [this, finish](grpc::Status status) {
    waiting_.fetch_sub(1);
    finish(std::move(status));
  });
  return reactor;
}

RegistryService::Unary RegistryService::RegisterModule(Context c, const v1::RegisterModuleRequest* q, v1::RegisterModuleReply* r) {
  return answer(c, Method::register_module, handlers_.register_module, *q, *r);
}
RegistryService::Unary RegistryService::Heartbeat(Context c, const v1::HeartbeatRequest* q, v1::HeartbeatReply* r) {
  return answer(c, Method::heartbeat, handlers_.heartbeat, *q, *r);
}
RegistryService::Unary RegistryService::UpdateHealth(Context c, const v1::UpdateHealthRequest* q, v1::UpdateHealthReply* r) {
  return answer(c, Method::update_health, handlers_.update_health, *q, *r);
}
RegistryService::Unary RegistryService::UnregisterModule(Context c, const v1::UnregisterModuleRequest* q, v1::UnregisterModuleReply* r) {
  return answer(c, Method::unregister_module, handlers_.unregister_module, *q, *r);
}
RegistryService::Unary RegistryService::DrainModule(Context c, const v1::DrainModuleRequest* q, v1::DrainModuleReply* r) {
  return answer(c, Method::drain_module, handlers_.drain_module, *q, *r);
}
RegistryService::Unary RegistryService::GetStats(Context c, const v1::GetStatsRequest* q, v1::GetStatsReply* r) {
  return answer(c, Method::get_stats, handlers_.get_stats, *q, *r);
}
RegistryService::Unary RegistryService::ListModules(Context c, const v1::ListModulesRequest* q, v1::ListModulesReply* r) {
  return answer(c, Method::list_modules, handlers_.list_modules, *q, *r);
}

// gRPC owns the reactor until OnDone; `self_` keeps the object alive until then, whatever the owner does with its share. One write is on
// its way at a time, Finish comes once and after it; the lock covers the queue and these two facts, never a call into gRPC's own locks
// that could call back.
class RegistryService::Stream final : public grpc::ServerWriteReactor<v1::ModuleChange>, public Watcher {
 public:
  Stream(RegistryService& service, const v1::WatchModulesRequest& request) : service_(service) { request_ = request; }
  void keep(std::shared_ptr<Stream> self) { self_ = std::move(self); }

  void push(Change change) override {
    std::unique_lock lock(mutex_);
    if (over_) return;
    if (queue_.size() >= limit_) {
      lock.unlock();
      return end({grpc::RESOURCE_EXHAUSTED, "this watcher is " + std::to_string(limit_) + " changes behind: open the stream again and read faster"});
    }
    queue_.push_back(std::move(change));
    write_next(lock);
  }

  void allow(std::size_t more) override {
    std::lock_guard lock(mutex_);
    limit_ += more;
  }

  void end(grpc::Status status) override {
    std::unique_lock lock(mutex_);
    if (over_) return;
    over_ = true;
    status_ = std::move(status);
    while (queue_.size() > (writing_ ? 1u : 0u)) queue_.pop_back();
    finish_if_idle(lock);
  }

  bool over() const override {
    std::lock_guard lock(mutex_);
    return over_;
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok && !over_) {
      over_ = true;
      status_ = {grpc::CANCELLED, "the caller is gone"};
      queue_.clear();
    }
    if (over_) return finish_if_idle(lock);
    write_next(lock);
  }
  void OnCancel() override { end({grpc::CANCELLED, "the caller has cancelled"}); }
  void OnDone() override {
    service_.watchers_.fetch_sub(1);
    const auto last = std::move(self_);
  }

 private:
  void write_next(std::unique_lock<std::mutex>& lock) {
    if (writing_ || queue_.empty() || over_) return;
    writing_ = true;
    const auto* next = queue_.front().get();      // stays at the front until OnWriteDone
    lock.unlock();
    StartWrite(next);
  }
  void finish_if_idle(std::unique_lock<std::mutex>& lock) {
    if (writing_ || finished_) return;
    finished_ = true;
    const auto status = status_;
    lock.unlock();
    service_.count(Method::watch_modules, status);
    Finish(status);
  }

  RegistryService& service_;
  std::shared_ptr<Stream> self_;
  mutable std::mutex mutex_;
  std::deque<Change> queue_;
  std::size_t limit_ = watch_queue_max;
  grpc::Status status_;
  bool writing_ = false, over_ = false, finished_ = false;
};

grpc::ServerWriteReactor<v1::ModuleChange>* RegistryService::WatchModules(Context context, const v1::WatchModulesRequest* request) {
  auto stream = std::make_shared<Stream>(*this, *request);
  stream->keep(stream);
  auto* reactor = stream.get();
  const auto before = watchers_.fetch_add(1);
  if (const auto caller = door_->admit(*context); !caller) stream->end(caller.error());
  else if (before >= watchers_max) stream->end({grpc::RESOURCE_EXHAUSTED, std::to_string(watchers_max) + " watchers are open already: close one"});
  else handlers_.watch_modules(std::move(stream));
  return reactor;
}

}  // namespace nlb::rpc
