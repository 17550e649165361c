#include "libnlb/manager/link.hpp"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/manager/url.hpp"
#include "libnlb/daemon/http_client.hpp"

namespace nlb::manager {

using daemon::mono_now;

using Json = nlohmann::json;
using daemon::HttpPeer;
using daemon::HttpRequest;

namespace {

constexpr Duration look_interval = std::chrono::milliseconds(100);      // whether a report is due
constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";

Result<std::string> read_key(const config::Manager& config) {
  if (const char* text = std::getenv("NLB_MANAGER_API_KEY"); text != nullptr && *text != '\0') return std::string(text);
  if (config.api_key_file.empty()) return std::string();
  std::ifstream file(config.api_key_file);
  std::string key;
  if (!std::getline(file, key) || key.empty())
    return fail(ErrorKind::unavailable, "read the manager's key " + config.api_key_file + ": there is none: write it on the first line, check manager.api_key_file");
  while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
  return key;
}

Result<HttpPeer> peer_of(const Url& url, const std::string& ca_file) {
  if (!url.tls) return HttpPeer::plain(url.address);
  return HttpPeer::tls(url.address, ca_file.empty() ? system_authorities : ca_file);
}

// Carries one request at a time to the manager, on its own thread.
class Courier {
 public:
  using Told = std::function<void(Answer)>;               // on the courier's thread
  explicit Courier(HttpPeer peer) : peer_(std::move(peer)), thread_([this] { run(); }) {}
  ~Courier() {
    cancelled_ = true;
    { const std::lock_guard lock(mutex_); }
    woken_.notify_one();
    thread_.join();
  }
  void carry(HttpRequest request, Told told) {
    {
      const std::lock_guard lock(mutex_);
      errand_.emplace(std::move(request), std::move(told));
    }
    woken_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      woken_.wait(lock, [this] { return cancelled_ || errand_; });
      if (cancelled_) return;
      const auto [request, told] = std::move(*errand_);
      errand_.reset();
      lock.unlock();
      const auto answer = peer_.ask(request, mono_now() + answer_timeout, &cancelled_);
      told(answer ? Answer{answer->status, {}} : Answer{0, answer.error().text});
      lock.lock();
    }
  }

  HttpPeer peer_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::optional<std::pair<HttpRequest, Told>> errand_;
  std::atomic<bool> cancelled_ = false;
  std::thread thread_;
};

}  // namespace

struct Link::Impl : std::enable_shared_from_this<Link::Impl> {
  Impl(const config::Manager& c, Url u, HttpPeer peer, std::string k, Identity who, std::string version, daemon::ControlLoop& l, std::function<std::string()> figures)
      : config(c), url(std::move(u)), key(std::move(k)), identity(std::move(who)), config_version(std::move(version)), loop(l), load(std::move(figures)),
        state(c.interval, std::random_device{}(), mono_now()), courier(std::make_unique<Courier>(std::move(peer))) {}

  void tick() {
    if (carrying || mono_now() < state.due()) return;
    carrying = true;
    const bool first = state.next() == LinkState::Say::registration;
    HttpRequest request;
    request.method = "POST";
    request.target = url.path + (first ? "/register" : "/heartbeat");
    request.body = (first ? registration() : heartbeat()).dump(-1, ' ', false, Json::error_handler_t::replace);
    request.bearer = key;
    courier->carry(std::move(request), [weak = weak_from_this(), &on = loop](Answer answer) {
      on.post([weak, answer = std::move(answer)] {
        if (const auto self = weak.lock()) self->answered(answer);
      });
    });
  }

  Json registration() const {
    const auto started_unix = std::chrono::system_clock::now() - (mono_now() - started);
    return {{"balancer", identity.balancer}, {"program", identity.program}, {"version", NLB_VERSION}, {"pid", ::getpid()},
            {"started_unix_seconds", std::chrono::duration<double>(started_unix.time_since_epoch()).count()},
            {"interval_seconds", to_seconds(config.interval)}, {"config_version", config_version}, {"addresses", identity.addresses},
            {"admin", identity.admin}};
  }
  Json heartbeat() const {
    return {{"balancer", identity.balancer}, {"config_version", config_version}, {"uptime_seconds", to_seconds(mono_now() - started)},
            {"load", Json::parse(load(), nullptr, false)}};
  }

  void answered(const Answer& answer) {
    carrying = false;
    const bool was_fine = state.last_error().empty(), was_registered = state.registered();
    state.answered(answer, mono_now());
    if (std::exchange(news, false)) state.hurry(mono_now());
    if (state.registered() && !was_registered) daemon::log::info("registered with the manager", {{"url", config.url}, {"balancer", identity.balancer}});
    else if (was_fine && !state.last_error().empty())
      daemon::log::warning("the manager takes no report; traffic goes on, and it is asked again", {{"url", config.url}, {"reason", state.last_error()}});
  }

  const config::Manager config;
  const Url url;
  const std::string key;
  const Identity identity;
  std::string config_version;
  daemon::ControlLoop& loop;
  std::function<std::string()> load;
  const MonoTime started = mono_now();
  LinkState state;
  bool carrying = false, news = false;                    // news: came while a report was on its way
  std::unique_ptr<daemon::Timer> timer;
  std::unique_ptr<Courier> courier;
};

Result<std::unique_ptr<Link>> Link::start(const config::Manager& config, Identity identity, std::string config_version, daemon::ControlLoop& loop,
                                          std::function<std::string()> load) {
  auto url = parse_url(config.url);
  if (!url) return tl::unexpected(url.error());
  auto key = read_key(config);
  if (!key) return tl::unexpected(key.error());
  auto peer = peer_of(*url, config.ca_file);
  if (!peer) return tl::unexpected(peer.error());
  const bool local = url->address.kind == Endpoint::Kind::ip && url->address.ip.is_loopback();
  if (!url->tls && !local && !key->empty())
    daemon::log::warning("the manager's key goes out in plain text: use https", {{"url", config.url}});
  auto impl = std::make_shared<Impl>(config, std::move(*url), std::move(*peer), std::move(*key), std::move(identity), std::move(config_version), loop, std::move(load));
  impl->timer = loop.every(look_interval, [raw = impl.get()] { raw->tick(); });
  return std::unique_ptr<Link>(new Link(std::move(impl)));
}

Link::~Link() = default;

void Link::set_config_version(std::string version) {
  if (version == impl_->config_version) return;
  impl_->config_version = std::move(version);
  impl_->news = impl_->carrying;
  impl_->state.hurry(mono_now());
}

Status Link::status() const { return {impl_->config.url, impl_->state.registered(), impl_->state.last_error(), impl_->state.counters()}; }

}  // namespace nlb::manager
