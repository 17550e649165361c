// The load generator of registry.sh, and the stranger of the flood test. Each verb prints one line of JSON.
//
//   registry_load flood ADDRESS --count N        N registrations of different names, as fast as they are answered
//   registry_load beats ADDRESS --count N --seconds S     registers N modules, then beats for all of them in turn
//   registry_load first ADDRESS --port FORWARD --backend PORT --count N     registration until a request through the forwarder is answered
//   registry_load snapshot BUS --count N         a new subscriber: until it holds N modules
//
// Common flags: --window W (calls on their way at once), --service S, --prefix P, --check protocol|none, --lease MS,
// --ca, --certificate, --key (files), --watch PID (its CPU time is reported).
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/rpc/channel.hpp"
#include "libnlb/rpc/status.hpp"
#include "nlb/v1/registry.grpc.pb.h"

using namespace nlb;
using Json = nlohmann::json;

namespace {

struct Flags {
  std::string verb, address;
  std::map<std::string, std::string> named;
  std::string text(const std::string& name, const std::string& otherwise) const { return named.contains(name) ? named.at(name) : otherwise; }
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const { return named.contains(name) ? std::stoull(named.at(name)) : otherwise; }
};

[[noreturn]] void die(const std::string& text) {
  std::cerr << "registry_load: " << text << "\n";
  std::exit(1);
}

MonoTime now() { return std::chrono::steady_clock::now(); }

double cpu_seconds(std::uint64_t pid) {      // utime and stime of /proc/PID/stat
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string word;
  double ticks = 0;
  for (int field = 3; field <= 15 && fields >> word; ++field)
    if (field >= 14) ticks += std::stod(word);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::shared_ptr<grpc::Channel> channel_of(const Flags& flags) {
  rpc::ClientTls tls{flags.named.contains("ca"), flags.text("ca", ""), flags.text("certificate", ""), flags.text("key", ""), ""};
  const auto endpoint = parse_endpoint(flags.address);
  if (!endpoint) die(endpoint.error().text);
  auto channel = rpc::make_channel(*endpoint, tls);
  if (!channel) die(channel.error().text);
  return *channel;
}

v1::Module module_of(const Flags& flags, std::uint64_t number) {
  v1::Module module;
  module.set_name(flags.text("prefix", "m") + std::to_string(number));
  module.set_service(flags.text("service", "load"));
  module.set_protocol(v1::PROTOCOL_HTTP);
  module.set_data_address("127.0.0.1:" + flags.text("backend", std::to_string(1024 + number % 60000)));
  module.set_lease_ms(static_cast<std::uint32_t>(flags.number("lease", 600000)));
  module.mutable_check()->set_kind(flags.text("check", "none") == "none" ? v1::CHECK_KIND_NONE : v1::CHECK_KIND_PROTOCOL);
  return module;
}

// Keeps `window` calls of one kind on their way until `more` says that it is enough.
template <class Request, class Reply>
class Calls {
 public:
  using Stub = v1::NLBService::Stub;
  using Start = std::function<void(grpc::ClientContext*, const Request*, Reply*, std::function<void(grpc::Status)>)>;
  Calls(Start start, std::function<bool(std::uint64_t, Request&)> more, std::function<void(std::uint64_t, const Reply&)> answered)
      : start_(std::move(start)), more_(std::move(more)), answered_(std::move(answered)) {}

  void run(std::uint64_t window) {
    const auto began = now();
    open_ = window;
    for (std::uint64_t i = 0; i < window; ++i) next();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return open_ == 0; });
    seconds_ = to_seconds(now() - began);
  }

  Json summary() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) { return latencies_.empty() ? 0 : latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))] * 1000; };
    return {{"calls", latencies_.size()}, {"seconds", seconds_}, {"per_second", static_cast<double>(latencies_.size()) / seconds_},
            {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"codes", codes_}, {"texts", texts_}};
  }

 private:
  struct Call { grpc::ClientContext context; Request request; Reply reply; MonoTime started; std::uint64_t number; };

  void next() {
    auto call = std::make_shared<Call>();
    std::unique_lock lock(mutex_);
    call->number = number_++;
    if (!more_(call->number, call->request)) {
      if (--open_ == 0) over_.notify_all();
      return;
    }
    lock.unlock();
    call->started = now();
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    start_(&call->context, &call->request, &call->reply, [this, call](const grpc::Status& status) { done(*call, status); });
  }

  void done(const Call& call, const grpc::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      latencies_.push_back(to_seconds(now() - call.started));
      const auto code = std::string(rpc::code_name(status.error_code()));
      if (codes_[code]++ == 0) texts_[code] = status.error_message();
      if (status.ok() && answered_) answered_(call.number, call.reply);
    }
    next();
  }

  Start start_;
  std::function<bool(std::uint64_t, Request&)> more_;
  std::function<void(std::uint64_t, const Reply&)> answered_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::uint64_t number_ = 0, open_ = 0;
  std::vector<double> latencies_;
  std::map<std::string, std::uint64_t> codes_;
  std::map<std::string, std::string> texts_;      // the first of each code
  double seconds_ = 0;
};

using Registrations = Calls<v1::RegisterModuleRequest, v1::RegisterModuleReply>;
using Beats = Calls<v1::HeartbeatRequest, v1::HeartbeatReply>;

Json register_all(const Flags& flags, v1::NLBService::Stub& stub, std::vector<v1::RegisterModuleReply>& replies) {
  const auto count = flags.number("count", 1000);
  Registrations calls([&](auto... of) { stub.async()->RegisterModule(of...); },
                      [&](std::uint64_t number, v1::RegisterModuleRequest& request) {
                        *request.mutable_module() = module_of(flags, number);
                        return number < count;
                      },
                      [&](std::uint64_t, const v1::RegisterModuleReply& reply) { replies.push_back(reply); });
  calls.run(flags.number("window", 256));
  return calls.summary();
}

void flood(const Flags& flags) {
  const auto stub = v1::NLBService::NewStub(channel_of(flags));
  std::vector<v1::RegisterModuleReply> replies;
  std::cout << register_all(flags, *stub, replies) << "\n";
}

void beats(const Flags& flags) {
  const auto stub = v1::NLBService::NewStub(channel_of(flags));
  std::vector<v1::RegisterModuleReply> replies;
  const auto registered = register_all(flags, *stub, replies);
  if (replies.empty()) die("nothing could be registered: " + registered.dump());
  const auto watched = flags.number("watch", 0);
  const auto spent = watched ? cpu_seconds(watched) : 0;
  const auto until = now() + std::chrono::seconds(flags.number("seconds", 5));
  Beats calls([&](auto... of) { stub->async()->Heartbeat(of...); },
              [&](std::uint64_t number, v1::HeartbeatRequest& request) {
                const auto& place = replies[number % replies.size()];
                request.set_module_id(place.module_id());
                request.set_lease_id(place.lease_id());
                auto& load = *request.mutable_load();
                load.set_cpu_percent(static_cast<double>(number % 100));
                load.set_connections(static_cast<std::uint32_t>(number % 1000));
                return now() < until;
              },
              nullptr);
  calls.run(flags.number("window", 256));
  auto summary = calls.summary();
  summary["registered"] = registered;
  if (watched) summary["cpu_us_per_beat"] = (cpu_seconds(watched) - spent) * 1e6 / summary["calls"].get<double>();
  std::cout << summary << "\n";
}

bool answers(std::uint16_t port) {      // one HTTP request over a fresh connection
  const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  char answer[16];
  const bool good = connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 && send(s, request.data(), request.size(), MSG_NOSIGNAL) > 0 &&
                    recv(s, answer, sizeof answer, 0) > 8;
  close(s);
  return good;
}

void first(const Flags& flags) {
  const auto stub = v1::NLBService::NewStub(channel_of(flags));
  const auto port = static_cast<std::uint16_t>(flags.number("port", 0));
  std::vector<double> total, call;
  for (std::uint64_t i = 0; i < flags.number("count", 20); ++i) {
    while (answers(port)) std::this_thread::sleep_for(std::chrono::milliseconds(1));      // until the one before is forgotten
    v1::RegisterModuleRequest request;
    *request.mutable_module() = module_of(flags, i);
    v1::RegisterModuleReply reply;
    grpc::ClientContext context, leaving;
    const auto began = now();
    if (const auto status = stub->RegisterModule(&context, request, &reply); !status.ok()) die(status.error_message());
    call.push_back(to_seconds(now() - began) * 1000);
    while (!answers(port))
      if (now() - began > std::chrono::seconds(10)) die("no request is answered within 10 s of the registration");
    total.push_back(to_seconds(now() - began) * 1000);
    v1::UnregisterModuleRequest leave;
    v1::UnregisterModuleReply left;
    leave.set_module_id(reply.module_id());
    if (const auto status = stub->UnregisterModule(&leaving, leave, &left); !status.ok()) die(status.error_message());
  }
  std::sort(total.begin(), total.end());
  std::sort(call.begin(), call.end());
  std::cout << Json{{"count", total.size()}, {"median_ms", total[total.size() / 2]}, {"most_ms", total.back()}, {"register_median_ms", call[call.size() / 2]}} << "\n";
}

void snapshot(const Flags& flags) {
  const auto count = flags.number("count", 10000);
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> known;
  bus::Options options;
  options.peers = {{flags.address, {}, {}, {}}};
  options.subscriber.classes = {"modules"};
  const auto began = now();
  auto started = bus::Bus::start(std::move(options), [&](const bus::PeerChange& news) {
    const std::lock_guard lock(mutex);
    for (const auto& change : news.changes)
      if (change.kind == bus::Change::Kind::put) known.insert(change.topic);
    changed.notify_all();
  });
  if (!started) die(started.error().text);
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, std::chrono::seconds(30), [&] { return known.size() >= count; }))
    die("only " + std::to_string(known.size()) + " modules after 30 s");
  std::cout << Json{{"modules", known.size()}, {"snapshot_ms", to_seconds(now() - began) * 1000}} << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (argc < 3) die("usage: registry_load flood|beats|first|snapshot ADDRESS [--FLAG VALUE...]");
  flags.verb = argv[1];
  flags.address = argv[2];
  for (int i = 3; i + 1 < argc; i += 2) flags.named[std::string(argv[i]).substr(2)] = argv[i + 1];
  const std::map<std::string, void (*)(const Flags&)> verbs = {{"flood", flood}, {"beats", beats}, {"first", first}, {"snapshot", snapshot}};
  const auto verb = verbs.find(flags.verb);
  if (verb == verbs.end()) die("no such verb: " + flags.verb);
  verb->second(flags);
}
