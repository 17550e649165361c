#include "libnlb/bus/bus.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/fence_state.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/bus/sockets.hpp"
#include "libnlb/core/hash.hpp"

namespace nlb::bus {

namespace {

constexpr auto tick = std::chrono::milliseconds(50);
constexpr Duration greeting_min = std::chrono::milliseconds(10);     // between two beats for those who have just come
constexpr int batch_max = 1000;                                      // messages from one socket before the others have their turn
constexpr int sync_high_water_mark = 64;                             // chunks of up to 1 MiB that wait for one asker
constexpr std::size_t cached_snapshots_max = 8;

MonoTime now() { return std::chrono::steady_clock::now(); }
bool is_tcp(const std::string& endpoint) { return endpoint.starts_with("tcp://"); }

struct Peer {
  PeerOptions options;
  std::unique_ptr<SubscriberState> state;
  zmq::socket_t news, sync;
  std::uint64_t undecodable = 0;
};

struct CachedAnswer {          // the chunks of one snapshot, encoded once for everybody who asks at this sequence number
  std::vector<std::string> classes;
  std::uint64_t seq = 0;
  std::vector<std::pair<std::string, std::uint32_t>> chunks;      // bytes and their CRC, which the request's id continues
};

}  // namespace

std::string derived_sync(const std::string& publish) {
  const auto colon = publish.rfind(':');
  if (!is_tcp(publish) || colon == std::string::npos) return publish + ".sync";
  unsigned port = 0;
  const auto text = publish.substr(colon + 1);
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc{}) return publish;      // "*": any other port
  return publish.substr(0, colon + 1) + std::to_string(port + 1);
}

struct Bus::Impl {
  Options options;
  OnChange on_change;
  zmq::context_t context{1};
  std::optional<Door> door;
  std::optional<OwnerState> owner;
  zmq::socket_t news, sync;
  std::vector<Peer> peers;
  FenceState fence;
  std::deque<CachedAnswer> cache;
  Status counted;                        // of the bus's thread
  MonoTime next_beat, greet_after, status_at;
  bool greet = false;

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

  Result<> check() const {
    const auto open = [&](const std::string& endpoint, bool has_key) { return is_tcp(endpoint) && !options.insecure && !has_key; };
    if (options.owner && open(options.publish, !options.keys.secret_key.empty()))
      return fail(ErrorKind::refused, "bind " + options.publish + ": tcp needs CURVE keys: make them with nlb-registry keygen, or say --insecure");
    for (const auto& peer : options.peers)
      if (open(peer.publish, !peer.server_key.empty() && !options.keys.secret_key.empty()))
        return fail(ErrorKind::refused, "connect " + peer.publish + ": tcp needs CURVE: name the owner's public key and our own, or say --insecure");
    return {};
  }

  Result<> open_owner() {
    const bool curve = !options.keys.secret_key.empty() && is_tcp(options.publish);
    if (curve) {
      auto allowed = options.allowed_keys_dir.empty() ? std::map<std::string, std::string>{} : load_allowed(options.allowed_keys_dir);
      if (!allowed) return tl::unexpected(allowed.error());
      door.emplace(context, std::move(*allowed));      // before any bind
    }
    owner.emplace(*options.owner);
    news = zmq::socket_t(context, zmq::socket_type::xpub);
    sync = zmq::socket_t(context, zmq::socket_type::router);
    set_common_options(news, options.high_water_mark);
    set_common_options(sync, sync_high_water_mark);
    if (curve) be_curve_server(news, options.keys), be_curve_server(sync, options.keys);
    news.set(zmq::sockopt::xpub_verbose, 1);           // every new subscriber is seen, so it can be greeted
    zmq_setsockopt(news.handle(), ZMQ_XPUB_WELCOME_MSG, welcome_topic.data(), welcome_topic.size());
    sync.set(zmq::sockopt::router_mandatory, 1);
    const auto wanted_sync = options.sync.empty() ? derived_sync(options.publish) : options.sync;
    std::string endpoint = options.publish;
    try {
      news.bind(endpoint);
      endpoint = wanted_sync;
      sync.bind(endpoint);
    } catch (const zmq::error_t& e) {
      return fail(ErrorKind::unavailable, "bind " + endpoint + ": " + e.what() + ": is another process using it?");
    }
    counted.publish = news.get(zmq::sockopt::last_endpoint);
    counted.sync = sync.get(zmq::sockopt::last_endpoint);
    counted.epoch = owner->options().epoch;
    return {};
  }

  Result<> open_peers() {
    std::uint64_t seed = mix64(static_cast<std::uint64_t>(now().time_since_epoch().count()) ^ static_cast<std::uint64_t>(::getpid()) << 32);
    for (auto& options_of_peer : options.peers) {
      Peer peer{std::move(options_of_peer), std::make_unique<SubscriberState>(options.subscriber, splitmix64(seed), now()), {}, {}, 0};
      if (peer.options.sync.empty()) peer.options.sync = derived_sync(peer.options.publish);
      if (peer.options.known.epoch != 0) peer.state->preload(std::move(peer.options.known), now());
      try {
        connect(peer);
      } catch (const zmq::error_t& e) {
        return fail(ErrorKind::config, "connect " + peer.options.publish + ": " + e.what() + ": give ipc:///path or tcp://address:port");
      }
      peers.push_back(std::move(peer));
    }
    return {};
  }

  // Takes the place of the peer's sockets only once it is whole. Throws zmq::error_t.
  void connect(Peer& peer) {
    zmq::socket_t news_of_peer(context, zmq::socket_type::sub), sync_of_peer(context, zmq::socket_type::dealer);
    for (auto* socket : {&news_of_peer, &sync_of_peer}) {
      set_common_options(*socket, options.high_water_mark);
      if (!peer.options.server_key.empty()) be_curve_client(*socket, options.keys, peer.options.server_key);
    }
    news_of_peer.set(zmq::sockopt::subscribe, welcome_topic);
    for (const auto& name : options.subscriber.classes) news_of_peer.set(zmq::sockopt::subscribe, name);
    if (options.subscriber.classes.empty()) news_of_peer.set(zmq::sockopt::subscribe, "");
    news_of_peer.set(zmq::sockopt::subscribe, beat_topic);   // last: who hears a beat has all its subscriptions in place
    news_of_peer.connect(peer.options.publish);
    sync_of_peer.connect(peer.options.sync);
    peer.news = std::move(news_of_peer);
    peer.sync = std::move(sync_of_peer);
  }

  // Where descriptors have run out the old sockets stay and go on trying; the next silence asks again.
  void reconnect(Peer& peer) {
    try {
      connect(peer);
    } catch (const zmq::error_t&) {
      ++counted.reconnects_failed;
    }
  }

  // ---- the owner's side

  void send_news(const Update& update) {
    const Message message{update.topic, owner->header(update, now()), update.payload};
    ++counted.published;
    news.set(zmq::sockopt::xpub_nodrop, 1);                  // only to learn that somebody is full; then drop for that one alone
    if (send(news, message) == Sent::yes) return;
    ++counted.slow_subscriber_drops;
    news.set(zmq::sockopt::xpub_nodrop, 0);
    (void)send(news, message);
  }

  void send_beat() {
    const auto payload = make_payload(encode_beat(owner->beat(), NLB_VERSION));
    news.set(zmq::sockopt::xpub_nodrop, 0);
    (void)send(news, {std::string(beat_topic), owner->header_of_beat(payload), payload});
    greet = false;
    greet_after = now() + greeting_min;
  }

  void read_subscriptions() {
    for (auto frames = receive(news); !frames.empty(); frames = receive(news)) {
      const auto text = frames[0].to_string_view();
      if (text.size() == 1 + beat_topic.size() && text[0] == 1 && text.substr(1) == beat_topic) greet = true;
    }
  }

  void read_requests() {
    for (int n = 0; n < batch_max; ++n) {
      const auto frames = receive(sync);
      if (frames.empty()) return;
      const auto message = message_of(frames, 1);
      if (!message || message->topic != sync_topic || !message->payload) continue;
      if (const auto request = decode_request(*message->payload)) answer(frames[0], *request);
    }
  }

  void answer(const zmq::message_t& route, const SyncRequest& request) {
    ++counted.sync_requests;
    const auto id = request_id_field(request.id);
    for (const auto& [bytes, crc] : encoded(request)) {
      const auto payload = make_payload(bytes + id);
      Header header{header_version, Flag::sync, owner->options().epoch, owner->head(), owner->options().id, 0, 0, crc32c(as_bytes(id), crc)};
      if (send(sync, {std::string(chunk_topic), header, payload}, &route) == Sent::yes) continue;
      ++counted.sync_drops;              // the asker asks again
      return;
    }
  }

  std::vector<std::pair<std::string, std::uint32_t>> encoded(const SyncRequest& request) {
    const auto chunks = [&] {
      std::vector<std::pair<std::string, std::uint32_t>> all;
      for (const auto& chunk : owner->answer(request)) {
        auto bytes = encode_chunk(chunk, now());
        const auto crc = crc32c(as_bytes(bytes));
        all.emplace_back(std::move(bytes), crc);
      }
      return all;
    };
    if (request.have_epoch == owner->options().epoch) return chunks();      // most likely a delta, and each asker's own
    for (const auto& cached : cache)
      if (cached.seq == owner->head() && cached.classes == request.classes) return cached.chunks;
    if (cache.size() >= cached_snapshots_max) cache.pop_front();
    cache.push_back({request.classes, owner->head(), chunks()});
    return cache.back().chunks;
  }

  // ---- the subscriber's side

  void act(Peer& peer, Effects effects) {
    if (effects.reconnect) reconnect(peer);
    if (effects.request) {
      const auto payload = make_payload(encode_request(*effects.request));
      (void)send(peer.sync, {std::string(sync_topic), {.flags = Flag::sync, .payload_crc = crc_of(payload)}, payload});
    }
    std::erase_if(effects.changes, [&](const Change& c) { return !fence.admit(class_of(c.topic), c.epoch, c.owner); });
    if (!effects.changes.empty() && on_change) on_change({peer.options.publish, std::move(effects.changes)});
  }

  void read_news(Peer& peer) {
    for (int n = 0; n < batch_max; ++n) {
      auto frames = receive(peer.news);
      if (frames.empty()) return;
      if (frames.size() == 1 && frames[0].to_string_view() == welcome_topic) {
        act(peer, peer.state->welcome(now()));
        continue;
      }
      auto message = message_of(frames, 0);
      if (!message) ++peer.undecodable;
      else if (!message->header.has(Flag::beat)) act(peer, peer.state->news(std::move(*message), now()));
      else if (const auto beat = message->payload ? decode_beat(*message->payload) : fail(ErrorKind::bad_input, "")) act(peer, peer.state->beat(message->header, *beat, now()));
      else ++peer.undecodable;
    }
  }

  void read_chunks(Peer& peer) {
    for (int n = 0; n < batch_max; ++n) {
      const auto frames = receive(peer.sync);
      if (frames.empty()) return;
      const auto message = message_of(frames, 0);
      auto chunk = message && message->payload ? decode_chunk(*message->payload, message->header.owner, now()) : fail(ErrorKind::bad_input, "");
      if (chunk) act(peer, peer.state->chunk(std::move(*chunk), now()));
      else ++peer.undecodable;
    }
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

  void on_time() {
    if (owner && (now() >= next_beat || (greet && now() >= greet_after))) {
      if (now() >= next_beat) next_beat = now() + owner->options().beat_interval;
      send_beat();
    }
    for (auto& peer : peers) act(peer, peer.state->tick(now()));
    if (now() < status_at) return;
    status_at = now() + 100ms;
    show_status();
  }

  void show_status() {
    auto next = counted;
    next.head_seq = owner ? owner->head() : 0;
    next.fence_refused = fence.refused();
    if (door) next.curve_accepted = door->accepted, next.curve_refused = door->refused;
    for (const auto& peer : peers)
      next.peers.push_back({peer.options.publish, peer.state->owner_name(), peer.state->phase(), peer.state->epoch(), now() - peer.state->heard_at(),
                            peer.state->facts().size(), peer.state->quarantined(), peer.undecodable, peer.state->counters()});
    std::lock_guard lock(mutex);
    shown = std::move(next);
  }

  void loop() {
    do {
      std::vector<zmq::pollitem_t> items = {{nullptr, wake, ZMQ_POLLIN, 0}};
      const auto add = [&](zmq::socket_t& socket) { items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0}); };
      if (owner) add(news), add(sync);
      if (door) add(door->socket());
      for (auto& peer : peers) add(peer.news), add(peer.sync);
      try {
        zmq::poll(items, greet ? std::chrono::milliseconds(1) : std::chrono::milliseconds(tick));
      } catch (const zmq::error_t&) {}                       // EINTR: the next turn looks again
      if (door) door->serve();
      if (owner) read_subscriptions(), read_requests();
      for (auto& peer : peers) read_news(peer), read_chunks(peer);
      on_time();
    } while (run_commands());
  }
};

Bus::Bus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bus::~Bus() = default;

Result<std::unique_ptr<Bus>> Bus::start(Options options, OnChange on_change) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(on_change));
  if (auto ok = impl->check(); !ok) return tl::unexpected(ok.error());
  if (impl->options.owner)
    if (auto ok = impl->open_owner(); !ok) return tl::unexpected(ok.error());
  if (auto ok = impl->open_peers(); !ok) return tl::unexpected(ok.error());
  impl->show_status();
  auto* raw = impl.get();
  impl->thread = std::thread([raw] { raw->loop(); });
  return std::unique_ptr<Bus>(new Bus(std::move(impl)));
}

Result<> Bus::publish(std::string topic, std::string payload) {
  if (!impl_->options.owner) return fail(ErrorKind::internal, "publish " + topic + ": this process owns nothing on the bus");
  if (!is_topic(topic)) return fail(ErrorKind::internal, "publish \"" + topic + "\": that is no topic");
  if (payload.size() > payload_bytes_max) return fail(ErrorKind::refused, "publish " + topic + ": the payload is over " + std::to_string(payload_bytes_max) + " bytes");
  return impl_->command([impl = impl_.get(), topic = std::move(topic), payload = make_payload(std::move(payload))] {
    if (const auto update = impl->owner->publish(topic, payload, now())) impl->send_news(*update);
  });
}

Result<> Bus::withdraw(std::string topic) {
  if (!impl_->options.owner) return fail(ErrorKind::internal, "withdraw " + topic + ": this process owns nothing on the bus");
  return impl_->command([impl = impl_.get(), topic = std::move(topic)] {
    if (const auto update = impl->owner->withdraw(topic, now())) impl->send_news(*update);
  });
}

Result<> Bus::release(std::string peer, std::string topic) {
  return impl_->command([impl = impl_.get(), peer = std::move(peer), topic = std::move(topic)] {
    for (auto& p : impl->peers)
      if (p.options.publish == peer) impl->act(p, p.state->release(topic));
  });
}

Result<> Bus::reload_keys() {
  auto allowed = load_allowed(impl_->options.allowed_keys_dir);
  if (!allowed) return tl::unexpected(allowed.error());
  return impl_->command([impl = impl_.get(), keys = std::move(*allowed)] {
    if (impl->door) impl->door->set_allowed(keys);
  });
}

Status Bus::status() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->shown;
}

std::map<std::string, Copy> Bus::copies() const {
  std::promise<std::map<std::string, Copy>> promise;
  auto future = promise.get_future();
  const auto asked = impl_->command([impl = impl_.get(), &promise] {
    std::map<std::string, Copy> all;
    for (const auto& peer : impl->peers) all[peer.options.publish] = peer.state->copy();
    promise.set_value(std::move(all));
  });
  return asked ? future.get() : std::map<std::string, Copy>{};
}

}  // namespace nlb::bus
