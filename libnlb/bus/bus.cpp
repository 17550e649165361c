#include "libnlb/bus/bus.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <thread>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/owner_end.hpp"
#include "libnlb/bus/peers.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/signals.hpp"

namespace nlb::bus {

using daemon::mono_now;

namespace {

constexpr auto tick = std::chrono::milliseconds(50);
constexpr auto status_period = std::chrono::milliseconds(100);

struct Keys {                  // as they are on the disk now
  KeyPair own;
  Readers readers;
  std::map<std::string, std::vector<std::string>> servers;      // by the peer's endpoint
};

Result<Keys> read_keys(const Options& options) {
  Keys keys{options.keys, {}, {}};
  if (!options.secret_key_file.empty()) {
    auto own = load_keys(options.secret_key_file);
    if (!own) return tl::unexpected(own.error());
    keys.own = std::move(*own);
  }
  if (options.owner && !options.allowed_keys_dir.empty()) {
    auto readers = load_readers(options.allowed_keys_dir);
    if (!readers) return tl::unexpected(readers.error());
    keys.readers = std::move(*readers);
  }
  for (const auto& peer : options.peers) {
    auto& server = keys.servers[peer.publish] = peer.server_keys;
    if (peer.server_key_file.empty()) continue;
    auto read = load_public_keys(peer.server_key_file);
    if (!read) return tl::unexpected(read.error());
    server = std::move(*read);
  }
  return keys;
}

Result<> check_tcp(const Options& options, const Keys& keys) {
  if (options.insecure) return {};
  if (options.owner && is_tcp(options.publish) && keys.own.secret_key.empty())
    return fail(ErrorKind::refused, "bind " + options.publish + ": tcp needs CURVE keys: make them with nlb-registry keygen, or set security.insecure");
  for (const auto& peer : options.peers)
    if (is_tcp(peer.publish) && (keys.servers.at(peer.publish).empty() || keys.own.secret_key.empty()))
      return fail(ErrorKind::refused, "connect " + peer.publish + ": tcp needs CURVE: name the owner's public key and our own, or set security.insecure");
  return {};
}

PeerStatus status_of(const PeerEnd& end) {
  const auto& state = end.state();
  return {end.options().publish, state.owner_name(),      end.options().dynamic, state.phase(),  state.epoch(),    mono_now() - state.heard_at(),
          state.facts().size(),  state.quarantined(),     state.refused_classes(), end.undecodable(), state.counters()};
}

}  // namespace

struct Bus::Impl {
  Options options;
  OnChange on_change;
  zmq::context_t context{1};
  std::unique_ptr<OwnerEnd> owner;
  std::unique_ptr<Peers> peers;
  std::vector<Change> known;
  std::vector<OwnerEntry> followed;      // of the directory that we keep
  MonoTime status_at;

  int wake = -1;
  mutable std::mutex mutex;              // guards the three below: the only things both sides touch
  std::vector<std::function<void()>> commands;
  Status shown;
  bool stop = false;
  std::thread thread;

  Impl(Options o, OnChange callback) : options(std::move(o)), on_change(std::move(callback)), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Impl() {
    if (thread.joinable()) {
      { std::lock_guard lock(mutex); stop = true; }
      ring();
      thread.join();
    }
    ::close(wake);
  }

  void ring() const {
    const std::uint64_t one = 1;
    (void)!::write(wake, &one, sizeof one);
  }
  Result<> command(std::function<void()> work) {
    {
      std::lock_guard lock(mutex);
      if (commands.size() >= commands_max) return fail(ErrorKind::refused, "publish: " + std::to_string(commands_max) + " messages wait already: publish less");
      commands.push_back(std::move(work));
    }
    ring();
    return {};
  }

  // ---- set-up, before the thread runs

  Result<> open() {
    auto keys = read_keys(options);
    if (!keys) return tl::unexpected(keys.error());
    if (auto safe = check_tcp(options, *keys); !safe) return safe;
    if (options.owner) {
      auto end = OwnerEnd::open(context, {*options.owner, options.publish, options.sync, keys->own, keys->readers, options.keeps_directory, options.high_water_mark});
      if (!end) return tl::unexpected(end.error());
      owner = std::move(*end);
    }
    return open_peers(*keys);
  }

  Result<> open_peers(const Keys& keys) {
    auto seed = mix64(static_cast<std::uint64_t>(mono_now().time_since_epoch().count()) ^ static_cast<std::uint64_t>(::getpid()) << 32);
    auto& classes = options.subscriber.classes;
    const bool show_directory = classes.empty() || std::find(classes.begin(), classes.end(), directory_topic) != classes.end();
    if (!show_directory && options.follow_directory) classes.emplace_back(directory_topic);
    std::sort(classes.begin(), classes.end());
    const PeersOptions of_all{options.subscriber, keys.own, std::move(options.known), options.merged, show_directory, options.follow_directory, options.insecure, options.high_water_mark};
    peers = std::make_unique<Peers>(context, of_all, seed, [this](const std::string& peer, std::vector<Change> changes) {
      if (!thread.joinable()) std::move(changes.begin(), changes.end(), std::back_inserter(known));
      else if (on_change) on_change({peer, std::move(changes)});
    });
    for (auto& peer : options.peers) {
      PeerEndOptions end{peer.publish, peer.sync.empty() ? derived_sync(peer.publish) : peer.sync, keys.servers.at(peer.publish), keys.own, {}, std::move(peer.known)};
      if (auto added = peers->add(std::move(end), mono_now()); !added) return added;
    }
    peers->follow_known(mono_now());
    return {};
  }

  // ---- the loop

  bool run_commands() {
    std::uint64_t rung = 0;
    (void)!::read(wake, &rung, sizeof rung);
    std::vector<std::function<void()>> work;
    bool stopping = false;
    {
      std::lock_guard lock(mutex);
      work.swap(commands);
      stopping = stop;
    }
    for (auto& each : work) each();
    return !stopping;
  }

  void follow_own_directory(const OwnerEntry& entry) {
    auto owners = owner->directory();
    if (owners == followed) return;
    followed = std::move(owners);
    peers->follow(followed, entry.name, entry.publish, mono_now());
  }

  void show_status() {
    Status next;
    if (owner) {
      const auto& counters = owner->counters();
      next.publish = owner->bound_publish();
      next.sync = owner->bound_sync();
      next.open_to_strangers = is_tcp(next.publish) && owner->door() == nullptr;
      next.epoch = owner->state().options().epoch;
      next.head_seq = owner->state().head();
      next.published = counters.published;
      next.slow_subscriber_drops = counters.slow_subscriber_drops;
      next.sync_requests = counters.sync_requests;
      next.sync_drops = counters.sync_drops;
      next.classes_refused = counters.classes_refused;
      next.hellos_refused = counters.hellos_refused;
      next.followers = owner->followers();
      if (options.keeps_directory) next.directory = owner->directory();
      if (owner->door()) next.curve_accepted = owner->door()->accepted, next.curve_refused = owner->door()->refused;
    }
    const auto& merge = peers->merge();
    next.fence_refused = merge.refused();
    next.facts = merge.size();
    next.kept = merge.kept();
    next.conflicts = merge.conflicts();
    next.turned_away = peers->counters().turned_away;
    for (const auto& end : peers->ends()) {
      if (!end) continue;
      next.reconnects_failed += end->reconnects_failed();
      next.peers.push_back(status_of(*end));
    }
    std::lock_guard lock(mutex);
    shown = std::move(next);
  }

  void loop() {
    do {
      std::vector<zmq::pollitem_t> items = {{nullptr, wake, ZMQ_POLLIN, 0}};
      if (owner) owner->add_to(items);
      peers->add_to(items);
      try {
        zmq::poll(items, owner && owner->greets() ? std::chrono::milliseconds(1) : std::chrono::milliseconds(tick));
      } catch (const zmq::error_t&) {}                       // EINTR: the next turn looks again
      const auto entry = owner ? std::optional(owner->entry()) : std::nullopt;
      if (owner) owner->serve(mono_now());
      peers->serve(mono_now(), entry);
      if (owner) owner->on_time(mono_now());
      peers->on_time(mono_now(), entry);
      if (mono_now() >= status_at) {
        status_at = mono_now() + status_period;
        if (owner && options.keeps_directory) follow_own_directory(*entry);
        show_status();
      }
    } while (run_commands());
  }
};

Bus::Bus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bus::~Bus() = default;

Result<std::unique_ptr<Bus>> Bus::start(Options options, OnChange on_change) {
  const daemon::SignalsHeld held;   // for our thread and libzmq's, which begin with its first socket: its calls fail when a signal interrupts them
  auto impl = std::make_unique<Impl>(std::move(options), std::move(on_change));
  if (auto opened = impl->open(); !opened) return tl::unexpected(opened.error());
  impl->show_status();
  auto* raw = impl.get();
  std::promise<void> begin;
  impl->thread = std::thread([raw, ready = begin.get_future()]() mutable {
    ready.wait();              // until `thread` is set: who tells looks at it
    raw->loop();
  });
  begin.set_value();
  return std::unique_ptr<Bus>(new Bus(std::move(impl)));
}

const std::vector<Change>& Bus::known() const { return impl_->known; }

Result<> Bus::publish(std::string topic, std::string payload) {
  if (!impl_->owner) return fail(ErrorKind::internal, "publish " + topic + ": this process owns nothing on the bus");
  if (!is_topic(topic)) return fail(ErrorKind::internal, "publish \"" + topic + "\": that is no topic");
  if (payload.size() > payload_bytes_max) return fail(ErrorKind::refused, "publish " + topic + ": the payload is over " + std::to_string(payload_bytes_max) + " bytes");
  return impl_->command([impl = impl_.get(), topic = std::move(topic), payload = make_payload(std::move(payload))] { impl->owner->publish(topic, payload, mono_now()); });
}

Result<> Bus::withdraw(std::string topic) {
  if (!impl_->owner) return fail(ErrorKind::internal, "withdraw " + topic + ": this process owns nothing on the bus");
  return impl_->command([impl = impl_.get(), topic = std::move(topic)] { impl->owner->withdraw(topic, mono_now()); });
}

Result<> Bus::release(std::string topic) {
  return impl_->command([impl = impl_.get(), topic = std::move(topic)] { impl->peers->release(topic); });
}

Result<> Bus::reload_keys() {
  auto keys = read_keys(impl_->options);
  if (!keys) return tl::unexpected(keys.error());
  return impl_->command([impl = impl_.get(), keys = std::move(*keys)] {
    if (impl->owner) impl->owner->reload(keys.own, keys.readers);
    impl->peers->set_keys(keys.own, [&](const std::string& publish) {
      const auto found = keys.servers.find(publish);
      return found == keys.servers.end() ? std::vector<std::string>() : found->second;
    });
  });
}

Status Bus::status() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->shown;
}

std::map<std::string, Copy> Bus::copies() const {
  std::promise<std::map<std::string, Copy>> promise;
  auto future = promise.get_future();
  const auto asked = impl_->command([impl = impl_.get(), &promise] { promise.set_value(impl->peers->copies()); });
  return asked ? future.get() : std::map<std::string, Copy>{};
}

}  // namespace nlb::bus
