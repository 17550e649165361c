#include "libnlb/bus/owner_end.hpp"

#include <algorithm>
#include <charconv>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/daemon/folder.hpp"

namespace nlb::bus {

namespace {

constexpr Duration greeting_min = std::chrono::milliseconds(10);     // between two beats for those who have just come
constexpr Duration bind_again = std::chrono::milliseconds(50);       // a socket's end takes libzmq a moment
constexpr int sync_high_water_mark = 64;                             // chunks of up to 1 MiB that wait for one asker
constexpr std::size_t cached_snapshots_max = 8;

using Classes = std::vector<std::string>;

bool holds(const Classes& classes, std::string_view topic_class) {
  return classes.empty() || std::find(classes.begin(), classes.end(), topic_class) != classes.end();
}

// What is left of a question that this reader may put, and what isn't.
Classes take_refused(Classes& asked, const Reader& reader, const Heads& heads) {
  Classes refused, granted;
  if (reader.classes.empty()) return refused;
  if (asked.empty()) {
    for (const auto& [topic_class, seq] : heads)
      if (!reader.may_read(topic_class)) refused.push_back(topic_class);
    granted = reader.classes;
  }
  for (const auto& topic_class : asked) (reader.may_read(topic_class) ? granted : refused).push_back(topic_class);
  if (granted.empty()) granted.emplace_back("-");        // an empty list would be all of them
  asked = std::move(granted);
  return refused;
}

}  // namespace

bool is_tcp(const std::string& endpoint) { return endpoint.starts_with("tcp://"); }

std::string derived_sync(const std::string& publish) {
  const auto colon = publish.rfind(':');
  if (!is_tcp(publish) || colon == std::string::npos) return publish + ".sync";
  unsigned port = 0;
  const auto text = publish.substr(colon + 1);
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc{}) return publish;      // "*": any other port
  return publish.substr(0, colon + 1) + std::to_string(port + 1);
}

// ---- the sockets

Result<std::unique_ptr<OwnerEnd>> OwnerEnd::open(zmq::context_t& context, OwnerEndOptions options) {
  std::unique_ptr<OwnerEnd> end(new OwnerEnd(context, std::move(options)));
  if (const auto& publish = end->options_.publish; publish.starts_with("ipc:///")) {
    const auto path = publish.substr(6);
    if (auto made = daemon::make_folder_of(path); !made) return tl::unexpected(made.error());
    auto lock = DirectoryLock::take(path + ".lock");
    if (lock) end->lock_.emplace(std::move(*lock));
    else if (!end->options_.owner.elected) return fail(lock.error().kind, "publish at " + publish + ": " + lock.error().text + ", or another bus.publish");
  }
  if (!end->options_.keys.secret_key.empty() && is_tcp(end->options_.publish)) end->door_.emplace(context, end->options_.readers);   // before any bind
  if (auto bound = end->bind(); !bound) return tl::unexpected(bound.error());
  return end;
}

Result<> OwnerEnd::bind() {
  zmq::socket_t news(context_, curve() ? zmq::socket_type::router : zmq::socket_type::xpub), sync(context_, zmq::socket_type::router);
  set_common_options(news, options_.high_water_mark);
  set_common_options(sync, sync_high_water_mark);
  sync.set(zmq::sockopt::router_mandatory, 1);
  if (curve()) {
    be_curve_server(news, options_.keys);
    be_curve_server(sync, options_.keys);
    news.set(zmq::sockopt::router_mandatory, 1);
  } else {
    news.set(zmq::sockopt::xpub_verbose, 1);           // every new subscriber is seen, so it can be greeted
    zmq_setsockopt(news.handle(), ZMQ_XPUB_WELCOME_MSG, welcome_topic.data(), welcome_topic.size());
  }
  std::string endpoint = bound_publish_.empty() ? options_.publish : bound_publish_;
  try {
    news.bind(endpoint);
    endpoint = !bound_sync_.empty() ? bound_sync_ : options_.sync.empty() ? derived_sync(options_.publish) : options_.sync;
    sync.bind(endpoint);
  } catch (const zmq::error_t& e) {
    return fail(ErrorKind::unavailable, "bind " + endpoint + ": " + e.what() + ": is another process using it?");
  }
  bound_publish_ = news.get(zmq::sockopt::last_endpoint);
  bound_sync_ = sync.get(zmq::sockopt::last_endpoint);
  news_ = std::move(news);
  sync_ = std::move(sync);
  return {};
}

void OwnerEnd::close() {
  news_.close();
  sync_.close();
  followers_.clear();
}

void OwnerEnd::reload(const KeyPair& keys, Readers readers) {
  if (!door_) return;
  std::erase_if(followers_, [&](const auto& one) {       // whose rights have changed: silence makes them come back and ask anew
    const auto* before = door_->find(one.second.key);
    const auto after = readers.find(one.second.key);
    return before == nullptr || after == readers.end() || !(*before == after->second);
  });
  door_->set_readers(std::move(readers));
  if (keys.secret_key == options_.keys.secret_key || keys.secret_key.empty()) return;
  options_.keys = keys;
  close();
}

void OwnerEnd::add_to(std::vector<zmq::pollitem_t>& items) {
  for (auto* socket : {&news_, &sync_})
    if (*socket) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
  if (door_) items.push_back({door_->socket().handle(), 0, ZMQ_POLLIN, 0});
}

void OwnerEnd::serve(MonoTime now) {
  if (door_) door_->serve();
  if (!news_) return;
  curve() ? read_follows() : read_subscriptions();
  read_requests(now);
}

void OwnerEnd::on_time(MonoTime now) {
  if (!news_) {
    if (now < next_bind_) return;
    next_bind_ = now + bind_again;
    if (!bind()) return;
  }
  if (now >= next_beat_ || (greet_ && now >= greet_after_)) {
    if (now >= next_beat_) next_beat_ = now + state_.options().beat_interval;
    send_beat(now);
  }
  if (!options_.keeps_directory) return;
  bool changed = directory_.tick(now);
  if (now >= next_hello_) {
    next_hello_ = now + hello_period;
    changed |= directory_.hello(entry(), now);
  }
  if (changed) publish_directory(now);
}

// ---- news

void OwnerEnd::publish(const std::string& topic, const Payload& payload, MonoTime now) {
  if (const auto update = state_.publish(topic, payload, now)) send_news(*update, now);
}

void OwnerEnd::withdraw(const std::string& topic, MonoTime now) {
  if (const auto update = state_.withdraw(topic, now)) send_news(*update, now);
}

void OwnerEnd::send_news(const Update& update, MonoTime now) {
  ++counters_.published;
  broadcast({update.topic, state_.header(update, now), update.payload}, class_of(update.topic));
}

void OwnerEnd::send_beat(MonoTime now) {
  const auto payload = make_payload(encode_beat(state_.beat(), NLB_VERSION));
  broadcast({std::string(beat_topic), state_.header_of_beat(payload), payload}, beat_topic);
  greet_ = false;
  greet_after_ = now + greeting_min;
}

void OwnerEnd::broadcast(const Message& message, std::string_view topic_class) {
  if (!news_) return;                                        // they catch up when they are back
  if (!curve()) {
    news_.set(zmq::sockopt::xpub_nodrop, 1);                 // only to learn that somebody is full; then drop for that one alone
    if (send(news_, message) == Sent::yes) return;
    counters_.slow_subscriber_drops += topic_class != beat_topic;
    news_.set(zmq::sockopt::xpub_nodrop, 0);
    (void)send(news_, message);
    return;
  }
  for (auto at = followers_.begin(); at != followers_.end();) {
    const auto* reader = door_->find(at->second.key);
    const bool gets = topic_class == beat_topic || (holds(at->second.classes, topic_class) && reader && reader->may_read(topic_class));
    const auto sent = gets ? send_to(zmq::message_t(at->first), message) : Sent::yes;
    counters_.slow_subscriber_drops += sent == Sent::full && topic_class != beat_topic;
    at = sent == Sent::gone ? followers_.erase(at) : std::next(at);
  }
}

Sent OwnerEnd::send_to(const zmq::message_t& route, const Message& message) { return send(news_, message, &route); }

// ---- who comes

void OwnerEnd::read_subscriptions() {
  for (auto frames = receive(news_); !frames.empty(); frames = receive(news_)) {
    const auto text = frames[0].to_string_view();
    if (text.size() == 1 + beat_topic.size() && text[0] == 1 && text.substr(1) == beat_topic) greet_ = true;
  }
}

// The route is the router's own frame and knows nothing of the connection; the frames that came by it do.
const Reader* OwnerEnd::reader_of(std::vector<zmq::message_t>& frames) const {
  return door_ && frames.size() > 1 ? door_->find(property_of(frames[1], "User-Id")) : nullptr;
}

void OwnerEnd::read_follows() {
  for (int n = 0; n < messages_per_turn; ++n) {
    auto frames = receive(news_);
    if (frames.empty()) return;
    const auto message = message_of(frames, 1);
    const auto* reader = reader_of(frames);
    if (!message || message->topic != follow_topic || !message->payload || !reader) continue;
    auto classes = decode_follow(*message->payload);
    if (!classes || (followers_.size() >= followers_max && !followers_.contains(frames[0].to_string()))) continue;
    counters_.classes_refused += static_cast<std::uint64_t>(std::count_if(classes->begin(), classes->end(), [&](const auto& c) { return !reader->may_read(c); }));
    followers_[frames[0].to_string()] = {reader->key, std::move(*classes)};
    greet_ = true;
  }
}

void OwnerEnd::read_requests(MonoTime now) {
  for (int n = 0; n < messages_per_turn; ++n) {
    auto frames = receive(sync_);
    if (frames.empty()) return;
    const auto message = message_of(frames, 1);
    const auto* reader = reader_of(frames);
    if (!message || !message->payload || (curve() && !reader)) continue;
    if (message->topic == sync_topic) {
      if (auto request = decode_request(*message->payload)) answer(frames[0], reader, std::move(*request), now);
    } else if (message->topic == hello_topic && options_.keeps_directory) {
      if (auto owner = decode_owner(*message->payload)) hear_hello(property_of(frames[1], "Peer-Address"), reader, std::move(*owner), now);
    }
  }
}

// ---- catching up

void OwnerEnd::answer(zmq::message_t& route, const Reader* reader, SyncRequest request, MonoTime now) {
  ++counters_.sync_requests;
  const auto refused = reader ? take_refused(request.classes, *reader, state_.beat().heads) : Classes{};
  const auto& chunks = encoded(request, now);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto own = request_id_field(request.id) + (i + 1 == chunks.size() ? refused_classes_field(refused) : "");
    const auto payload = make_payload(chunks[i].first + own);
    const Header header{header_version, Flag::sync, state_.options().epoch, state_.head(), state_.options().id, 0, 0, crc32c(as_bytes(own), chunks[i].second)};
    if (send(sync_, {std::string(chunk_topic), header, payload}, &route) == Sent::yes) continue;
    ++counters_.sync_drops;              // the asker asks again
    return;
  }
}

OwnerEnd::Encoded OwnerEnd::encode(const SyncRequest& request, MonoTime now) const {
  Encoded all;
  for (const auto& chunk : state_.answer(request)) {
    auto bytes = encode_chunk(chunk, now);
    const auto crc = crc32c(as_bytes(bytes));
    all.emplace_back(std::move(bytes), crc);
  }
  return all;
}

const OwnerEnd::Encoded& OwnerEnd::encoded(const SyncRequest& request, MonoTime now) {
  if (request.have_epoch == state_.options().epoch) return delta_ = encode(request, now);      // most likely a delta, and each asker's own
  for (const auto& cached : cache_)
    if (cached.seq == state_.head() && cached.classes == request.classes) return cached.chunks;
  if (cache_.size() >= cached_snapshots_max) cache_.pop_front();
  return cache_.emplace_back(CachedAnswer{request.classes, state_.head(), encode(request, now)}).chunks;
}

// ---- the directory

OwnerEntry OwnerEnd::entry() const { return {options_.owner.name, bound_publish_, bound_sync_, curve() ? options_.keys.public_key : std::string()}; }

void OwnerEnd::hear_hello(const std::string& address, const Reader* reader, OwnerEntry owner, MonoTime now) {
  if (reader && reader->role != role_of(owner.name)) {
    ++counters_.hellos_refused;
    return;
  }
  owner.publish = seen_from_outside(owner.publish, address);
  owner.sync = seen_from_outside(owner.sync, address);
  if (reader && !owner.key.empty()) owner.key = reader->key;
  if (directory_.hello(std::move(owner), now)) publish_directory(now);
}

void OwnerEnd::publish_directory(MonoTime now) { publish(std::string(directory_topic), make_payload(encode_directory(directory_.owners())), now); }

}  // namespace nlb::bus
