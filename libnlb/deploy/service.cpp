#include "libnlb/deploy/service.hpp"

#include <future>

#include "libnlb/rpc/status.hpp"

namespace nlb::deploy {
namespace {

constexpr auto end_look = std::chrono::milliseconds(50);   // how often a call that waits asks whether all is ending

}  // namespace

void Pulse::beat() {
  {
    const std::lock_guard lock(mutex_);
    ++beats_;
  }
  changed_.notify_all();
}

void Pulse::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

bool Pulse::wait(std::uint64_t& seen, Duration limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return ended_ || beats_ != seen; });
  seen = beats_;
  return !ended_;
}

bool Pulse::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

template <class Reply>
grpc::Status Service::ask(const std::function<Result<Reply>(Controller&, MonoTime)>& question, Reply& reply) {
  auto answer = std::make_shared<std::promise<Result<Reply>>>();
  auto future = answer->get_future();
  const auto who = owner_.leader;
  owner_.post([answer, question, who](Controller* controller, MonoTime now) {
    if (controller != nullptr) return answer->set_value(question(*controller, now));
    const auto leader = who();
    answer->set_value(fail(ErrorKind::unavailable, leader.empty() ? "no controller leads yet: try again in a second" : "this controller doesn't lead: ask " + leader));
  });
  answer.reset();   // work that is forgotten breaks the promise
  const auto until = std::chrono::steady_clock::now() + answer_timeout;
  try {
    while (future.wait_for(end_look) != std::future_status::ready) {   // at the end nobody runs it, and the server waits for us
      if (pulse_.ended()) return {grpc::UNAVAILABLE, "the controller is ending: try again"};
      if (std::chrono::steady_clock::now() >= until) return {grpc::UNAVAILABLE, "the controller is busy: its store doesn't answer: see its log"};
    }
    auto result = future.get();
    if (!result) return rpc::to_status(result.error());
    reply = std::move(*result);
    return grpc::Status::OK;
  } catch (const std::future_error&) {
    return {grpc::UNAVAILABLE, "the controller is ending: try again"};
  }
}

grpc::Status Service::admit(const Context& context, const std::string* service) const {
  if (!door_) return grpc::Status::OK;
  const auto caller = door_->admit(context);
  if (!caller) return caller.error();
  if (service != nullptr && !rpc::may_speak_for(*caller, *service))
    return {grpc::PERMISSION_DENIED, "service " + service->substr(0, 128) + " is not " + caller->name + "'s: its certificate doesn't name it: use one with that name"};
  return grpc::Status::OK;
}

template <class Request>
grpc::Status Service::command(Context* context, const Request& request, v1::CommandReply& reply,
                              Controller::Reply (Controller::*verb)(const Request&, MonoTime)) {
  if (auto let = admit(*context, &request.service()); !let.ok()) return let;
  auto status = ask<v1::CommandReply>([request, verb](Controller& controller, MonoTime now) { return (controller.*verb)(request, now); }, reply);
  pulse_.beat();
  return status;
}

grpc::Status Service::Init(Context* c, const v1::InitRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::init); }
grpc::Status Service::Switch(Context* c, const v1::SwitchRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::switch_over); }
grpc::Status Service::StartCanary(Context* c, const v1::StartCanaryRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::start); }
grpc::Status Service::ControlCanary(Context* c, const v1::ControlCanaryRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::control); }
grpc::Status Service::Rollback(Context* c, const v1::RollbackRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::rollback); }
grpc::Status Service::SetWeight(Context* c, const v1::SetWeightRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::set_weight); }
grpc::Status Service::Undo(Context* c, const v1::UndoRequest* r, v1::CommandReply* a) { return command(c, *r, *a, &Controller::undo); }

grpc::Status Service::Get(Context* context, const v1::GetDeployRequest* request, v1::DeployStatus* reply) {
  if (auto let = admit(*context, nullptr); !let.ok()) return let;
  return ask<v1::DeployStatus>([name = request->service()](Controller& c, MonoTime now) { return c.get(name, now); }, *reply);
}

grpc::Status Service::List(Context* context, const v1::ListDeployRequest*, v1::ListDeployReply* reply) {
  if (auto let = admit(*context, nullptr); !let.ok()) return let;
  return ask<v1::ListDeployReply>(
      [](Controller& c, MonoTime now) -> Result<v1::ListDeployReply> {
        v1::ListDeployReply all;
        for (auto& status : c.list(now)) *all.add_services() = std::move(status);
        return all;
      },
      *reply);
}

grpc::Status Service::History(Context* context, const v1::DeployHistoryRequest* request, v1::DeployHistoryReply* reply) {
  if (auto let = admit(*context, nullptr); !let.ok()) return let;
  return ask<v1::DeployHistoryReply>(
      [r = *request](Controller& c, MonoTime) -> Result<v1::DeployHistoryReply> { return c.history(r.service(), r.limit()); }, *reply);
}

grpc::Status Service::Explain(Context* context, const v1::ExplainDeployRequest* request, v1::ExplainDeployReply* reply) {
  if (auto let = admit(*context, nullptr); !let.ok()) return let;
  return ask<v1::ExplainDeployReply>([name = request->service()](Controller& c, MonoTime now) { return c.explain(name, now); }, *reply);
}

grpc::Status Service::Watch(Context* context, const v1::WatchDeployRequest* request, grpc::ServerWriter<v1::DeployStatus>* writer) {
  if (auto let = admit(*context, nullptr); !let.ok()) return let;
  struct Place {
    std::atomic<std::size_t>& taken;
    const std::size_t number;
    explicit Place(std::atomic<std::size_t>& t) : taken(t), number(++t) {}
    ~Place() { --taken; }
  } place(watchers_);
  if (place.number > watchers_max) return {grpc::RESOURCE_EXHAUSTED, "too many watchers: " + std::to_string(watchers_max) + " are open: close some"};
  std::uint64_t seen = 0;
  do {
    v1::ListDeployReply all;
    auto status = ask<v1::ListDeployReply>(
        [name = request->service()](Controller& c, MonoTime now) -> Result<v1::ListDeployReply> {
          v1::ListDeployReply reply;
          if (name.empty()) {
            for (auto& each : c.list(now)) *reply.add_services() = std::move(each);
            return reply;
          }
          auto one = c.get(name, now);
          if (!one) return tl::unexpected(one.error());
          *reply.add_services() = std::move(*one);
          return reply;
        },
        all);
    if (!status.ok()) return status;
    bool over = true;
    for (const auto& each : all.services()) {
      over &= each.ended() || each.outcome() == "paused";
      if (!writer->Write(each)) return grpc::Status::OK;
    }
    if (request->until_end() && over) return grpc::Status::OK;
    if (!pulse_.wait(seen, std::chrono::seconds(1))) return {grpc::UNAVAILABLE, "the controller is ending: open the stream again"};
  } while (!context->IsCancelled());
  return grpc::Status::OK;
}

}  // namespace nlb::deploy
