#include "libnlb/rpc/module_pool.hpp"

#include <condition_variable>
#include <mutex>

#include <grpcpp/generic/generic_stub.h>

#include "libnlb/rpc/status.hpp"

namespace nlb::rpc {

namespace {

constexpr std::string_view state_name(grpc_connectivity_state state) {
  switch (state) {
    case GRPC_CHANNEL_IDLE: return "idle";
    case GRPC_CHANNEL_CONNECTING: return "connecting";
    case GRPC_CHANNEL_READY: return "ready";
    case GRPC_CHANNEL_TRANSIENT_FAILURE: return "failing";
    case GRPC_CHANNEL_SHUTDOWN: return "shut down";
  }
  return "unknown";
}

// HealthCheckRequest{string service = 1}; names are at most 256 bytes, so the length is one or two varint bytes.
std::string health_request(const std::string& service) {
  if (service.empty()) return {};
  std::string out = "\x0a";
  auto length = service.size();
  for (; length >= 0x80; length >>= 7) out += static_cast<char>(length | 0x80);
  out += static_cast<char>(length);
  return out + service;
}

// HealthCheckResponse{ServingStatus status = 1}: 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN.
std::string health_verdict(const grpc::ByteBuffer& reply) {
  std::vector<grpc::Slice> slices;
  (void)reply.Dump(&slices);
  std::string bytes;
  for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  if (bytes.size() < 2 || bytes[0] != '\x08') return "grpc health: status unknown";
  if (bytes[1] == 1) return {};
  return bytes[1] == 2 ? "grpc health: NOT_SERVING" : "grpc health: the service isn't known there";
}

}  // namespace

struct ModulePool::Question {    // lives until the pool lets go of it after its answer
  explicit Question(std::shared_ptr<grpc::Channel> channel) : stub(std::move(channel)) {}
  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::ByteBuffer request, reply;
  MonoTime started = std::chrono::steady_clock::now();
};

struct ModulePool::Open {
  std::mutex mutex;
  std::condition_variable none;
  std::size_t count = 0;
  std::vector<std::shared_ptr<Question>> answered;
  void add() {
    const std::lock_guard lock(mutex);
    ++count;
  }
  void hand_back(std::shared_ptr<Question> question) {
    const std::lock_guard lock(mutex);
    answered.push_back(std::move(question));
    if (--count == 0) none.notify_all();
  }
};

ModulePool::ModulePool() : open_(std::make_shared<Open>()) {}

ModulePool::~ModulePool() {
  for (const auto& [module, entry] : channels_) cancel(entry);
  {
    std::unique_lock lock(open_->mutex);
    open_->none.wait(lock, [this] { return open_->count == 0; });
  }
  let_go();
}

void ModulePool::let_go() {
  std::vector<std::shared_ptr<Question>> answered;
  const std::lock_guard lock(open_->mutex);
  answered.swap(open_->answered);
}

void ModulePool::cancel(const Entry& entry) {
  for (const auto& asked : entry.asked)
    if (const auto question = asked.lock()) question->context.TryCancel();
}

void ModulePool::add(const std::string& module, const Endpoint& control) {
  let_go();
  auto& entry = channels_[module];
  if (entry.channel && entry.address == control) return;
  if (entry.channel) ++counters_.closed;
  ++counters_.opened;
  cancel(entry);
  entry = {control, *make_channel(control), {}, {}};
}

void ModulePool::remove(const std::string& module) {
  let_go();
  const auto found = channels_.find(module);
  if (found == channels_.end()) return;
  cancel(found->second);
  channels_.erase(found);
  ++counters_.closed;
}

void ModulePool::check(const std::string& module, const std::string& service, Duration timeout, std::function<void(registry::CheckAnswer)> answer) {
  let_go();
  const auto found = channels_.find(module);
  if (found == channels_.end()) return answer({false, "there is no channel: the module has no control address", {}});
  auto question = std::make_shared<Question>(found->second.channel);
  question->context.set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
  const auto bytes = health_request(service);
  grpc::Slice slice(bytes.data(), bytes.size());
  question->request = grpc::ByteBuffer(&slice, 1);
  std::erase_if(found->second.asked, [](const auto& asked) { return asked.expired(); });
  found->second.asked.push_back(question);
  open_->add();
  question->stub.UnaryCall(&question->context, "/grpc.health.v1.Health/Check", {}, &question->request, &question->reply,
                           [question, open = open_, answer = std::move(answer)](const grpc::Status& status) mutable {
                             const auto took = std::chrono::steady_clock::now() - question->started;
                             const auto error = status.ok() ? health_verdict(question->reply)
                                                            : "grpc health: " + std::string(code_name(status.error_code())) + ": " + status.error_message();
                             answer({error.empty(), error, took});
                             open->hand_back(std::move(question));
                           });
}

void ModulePool::note_error(const std::string& module, std::string error) {
  if (const auto found = channels_.find(module); found != channels_.end()) found->second.last_error = std::move(error);
}

std::vector<ModulePool::Status> ModulePool::status() const {
  std::vector<Status> all;
  for (const auto& [module, entry] : channels_)
    all.push_back({module, to_string(entry.address), std::string(state_name(entry.channel->GetState(false))), entry.last_error});
  return all;
}

}  // namespace nlb::rpc
