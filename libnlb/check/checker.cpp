#include "libnlb/check/checker.hpp"

#include <deque>
#include <unordered_map>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "libnlb/check/question.hpp"
#include "libnlb/core/bytes.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/inspect/proxy_header.hpp"
#include "libnlb/registry/membership.hpp"

namespace nlb::check {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, asio::io_context::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, asio::io_context::executor_type>;

namespace {

asio::generic::stream_protocol::endpoint endpoint_of(const Endpoint& address) {
  if (address.kind == Endpoint::Kind::unix_path) return asio::local::stream_protocol::endpoint(address.host);
  if (address.ip.is_v4()) return asio::ip::tcp::endpoint(asio::ip::address_v4(address.ip.v4_host_order()), address.port);
  asio::ip::address_v6::bytes_type bytes;
  std::copy(address.ip.octets.begin(), address.ip.octets.end(), bytes.begin());
  return asio::ip::tcp::endpoint(asio::ip::address_v6(bytes), address.port);
}

// What a module that expects the PROXY header gets in front of a question: no client's address, since there is none.
std::string proxy_header(registry::SendProxy version) {
  switch (version) {
    case registry::SendProxy::v1: return "PROXY UNKNOWN\r\n";
    case registry::SendProxy::v2: return std::string(as_text(inspect::encode_proxy_v2_local().bytes()));
    case registry::SendProxy::none: break;
  }
  return {};
}

}  // namespace

// One question on its way: connect, say, hear, until a verdict, the deadline or cancel().
class Probe : public std::enable_shared_from_this<Probe> {
 public:
  using Done = std::function<void(registry::CheckAnswer)>;
  Probe(asio::io_context& loop, const registry::Module& module, Done done)
      : question_(module.protocol, module.check.kind, module.check.target, to_string(module.data)), header_(proxy_header(module.send_proxy)), socket_(loop), deadline_(loop), done_(std::move(done)) {}

  void start(const registry::Module& module) {
    started_ = std::chrono::steady_clock::now();
    deadline_.expires_after(module.check.timeout);
    deadline_.async_wait([self = shared_from_this(), timeout = module.check.timeout](error_code e) {
      if (!e) self->finish(false, "no answer within " + format_duration(timeout));
    });
    socket_.async_connect(endpoint_of(module.data), [self = shared_from_this()](error_code e) {
      if (e) return self->finish(false, "connect: " + e.message());
      self->act(self->question_.begin());
    });
  }
  void cancel() {
    done_ = nullptr;
    end();
  }

 private:
  void act(Step step) {
    if (!done_) return;
    if (step.verdict == Verdict::bad) return finish(false, std::move(step.error));
    last_ = step.verdict == Verdict::good;
    step.send.insert(0, std::exchange(header_, {}));
    if (step.send.empty()) return last_ ? finish(true, {}) : hear();
    saying_ = std::move(step.send);
    asio::async_write(socket_, asio::buffer(saying_), [self = shared_from_this()](error_code e, std::size_t) {
      if (e && !self->last_) return self->finish(false, "send: " + e.message());
      self->last_ ? self->finish(true, {}) : self->hear();
    });
  }
  void hear() {
    const auto size = heard_.size();
    if (size >= answer_bytes_max) return finish(false, "its answer is too long");
    heard_.resize(size + 2048);
    socket_.async_read_some(asio::buffer(heard_.data() + size, 2048), [self = shared_from_this(), size](error_code e, std::size_t n) {
      self->heard_.resize(size + n);
      self->act(e ? self->question_.closed(self->heard_) : self->question_.answer(self->heard_));
    });
  }
  void finish(bool good, std::string error) {
    if (!done_) return;
    const auto done = std::exchange(done_, nullptr);
    end();
    done({good, std::move(error), std::chrono::steady_clock::now() - started_});
  }
  void end() {
    deadline_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  Question question_;
  std::string header_;           // goes out in front of the first word
  Socket socket_;
  Timer deadline_;
  Done done_;
  MonoTime started_;
  std::string saying_, heard_;
  bool last_ = false;
};

struct Checker::Impl : std::enable_shared_from_this<Checker::Impl> {
  struct Subject {
    Subject(asio::io_context& loop, registry::Module m, std::uint64_t n) : module(std::move(m)), timer(loop), number(n) {}
    registry::Module module;
    Timer timer;
    std::uint64_t number;                  // an answer to an earlier question of the same name doesn't count
    std::shared_ptr<Probe> probe;
  };

  Impl(asio::io_context& l, Hooks h, std::uint64_t seed) : loop(l), hooks(std::move(h)), rng(seed) {}

  void watch(const registry::Module& module) {
    const auto id = registry::module_id(module.key());
    const auto found = subjects.find(id);
    if (found != subjects.end()) {
      const auto& old = found->second->module;
      if (old.data == module.data && old.control == module.control && old.protocol == module.protocol && old.check == module.check &&
          old.send_proxy == module.send_proxy && old.incarnation == module.incarnation)
        return;
      forget(id);
    }
    if (module.check.kind == registry::CheckKind::none) return;
    subjects.emplace(id, std::make_unique<Subject>(loop, module, ++numbers));
    ask(id, numbers);
  }

  void forget(const std::string& id) {
    const auto found = subjects.find(id);
    if (found == subjects.end()) return;
    found->second->timer.cancel();
    if (found->second->probe) {
      found->second->probe->cancel();
      found->second->probe.reset();
      --open;
    }
    subjects.erase(found);
    next_waiting();
  }

  Subject* subject(const std::string& id, std::uint64_t number) {
    const auto found = subjects.find(id);
    return found == subjects.end() || found->second->number != number ? nullptr : found->second.get();
  }

  void ask(const std::string& id, std::uint64_t number) {
    auto* s = subject(id, number);
    if (!s) return;
    const auto answered = [weak = weak_from_this(), id, number](registry::CheckAnswer answer) {
      if (const auto self = weak.lock()) self->answered(id, number, std::move(answer));
    };
    if (s->module.check.kind == registry::CheckKind::grpc) {
      return hooks.ask_grpc(id, s->module.check, [&on = loop, answered](registry::CheckAnswer answer) {      // we may be gone by then, the loop isn't
        asio::post(on, [answered, answer = std::move(answer)] { answered(answer); });
      });
    }
    if (open >= probes_max) return waiting.emplace_back(id, number), void();
    ++open;
    s->probe = std::make_shared<Probe>(loop, s->module, answered);
    s->probe->start(s->module);
  }

  void answered(const std::string& id, std::uint64_t number, registry::CheckAnswer answer) {
    auto* s = subject(id, number);
    if (!s) return;
    if (s->probe) s->probe.reset(), --open;
    ++done;
    if (!answer.good) ++failed;
    again(id, *s);
    next_waiting();
    hooks.answer(id, std::move(answer));      // last: it may make us forget the module
  }

  void again(const std::string& id, Subject& s) {
    const auto& check = s.module.check;
    const auto spread = 1 + check.jitter * (2 * rng.uniform() - 1);
    s.timer.expires_after(from_seconds(to_seconds(check.interval) * spread));
    s.timer.async_wait([weak = weak_from_this(), id, number = s.number](error_code e) {
      const auto self = weak.lock();
      if (!e && self) self->ask(id, number);
    });
  }

  void next_waiting() {
    while (open < probes_max && !waiting.empty()) {
      const auto [id, number] = std::move(waiting.front());
      waiting.pop_front();
      ask(id, number);
    }
  }

  asio::io_context& loop;
  Hooks hooks;
  Rng rng;
  std::unordered_map<std::string, std::unique_ptr<Subject>> subjects;
  std::deque<std::pair<std::string, std::uint64_t>> waiting;
  std::size_t open = 0;
  std::uint64_t numbers = 0, done = 0, failed = 0;
};

Checker::Checker(asio::io_context& loop, Hooks hooks, std::uint64_t seed) : impl_(std::make_shared<Impl>(loop, std::move(hooks), seed)) {}
Checker::~Checker() { forget_all(); }
void Checker::watch(const registry::Module& module) { impl_->watch(module); }
void Checker::forget(const std::string& module) { impl_->forget(module); }
void Checker::forget_all() {
  impl_->waiting.clear();
  while (!impl_->subjects.empty()) impl_->forget(std::string(impl_->subjects.begin()->first));
}
Checker::Status Checker::status() const { return {impl_->subjects.size(), impl_->open, impl_->waiting.size(), impl_->done, impl_->failed}; }

}  // namespace nlb::check
