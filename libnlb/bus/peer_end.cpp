#include "libnlb/bus/peer_end.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"

namespace nlb::bus {

PeerEnd::PeerEnd(zmq::context_t& context, PeerEndOptions options, std::uint64_t seed, MonoTime now)
    : context_(context), options_(std::move(options)), state_(options_.subscriber, seed, now) {
  if (options_.known.epoch != 0) state_.preload(std::move(options_.known), now);
  options_.known = {};
  connect();
}

void PeerEnd::connect() {
  zmq::socket_t news(context_, curve() ? zmq::socket_type::dealer : zmq::socket_type::sub), sync(context_, zmq::socket_type::dealer);
  for (auto* socket : {&news, &sync}) {
    set_common_options(*socket, options_.high_water_mark);
    if (curve()) be_curve_client(*socket, options_.keys, options_.server_keys[key_]);
  }
  if (!curve()) {
    news.set(zmq::sockopt::subscribe, welcome_topic);
    for (const auto& name : options_.subscriber.classes) news.set(zmq::sockopt::subscribe, name);
    if (options_.subscriber.classes.empty()) news.set(zmq::sockopt::subscribe, "");
    news.set(zmq::sockopt::subscribe, beat_topic);           // last: who hears a beat has all its subscriptions in place
  }
  news.connect(options_.publish);
  sync.connect(options_.sync);
  news_ = std::move(news);
  sync_ = std::move(sync);
  next_follow_ = {};
}

// Where descriptors have run out the old sockets stay and go on trying; the next silence asks again.
void PeerEnd::try_connect() {
  try {
    connect();
  } catch (const zmq::error_t&) {
    ++reconnects_failed_;
  }
}

void PeerEnd::set_keys(KeyPair keys, std::vector<std::string> server_keys) {
  if (!curve() || server_keys.empty()) return;               // a peer without CURVE stays one, and the other way round
  const auto used = options_.server_keys[key_];
  const auto at = std::find(server_keys.begin(), server_keys.end(), used);
  const bool same = at != server_keys.end() && keys.secret_key == options_.keys.secret_key;
  key_ = at != server_keys.end() ? static_cast<std::size_t>(at - server_keys.begin()) : 0;
  options_.keys = std::move(keys);
  options_.server_keys = std::move(server_keys);
  if (!same) try_connect();
}

void PeerEnd::add_to(std::vector<zmq::pollitem_t>& items) {
  for (auto* socket : {&news_, &sync_}) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
}

std::vector<Change> PeerEnd::serve(MonoTime now, const std::optional<OwnerEntry>& entry) {
  std::vector<Change> changes;
  read_news(now, changes);
  read_chunks(now, changes);
  introduce(now, entry);
  return changes;
}

std::vector<Change> PeerEnd::on_time(MonoTime now, const std::optional<OwnerEntry>& entry) {
  std::vector<Change> changes;
  act(state_.tick(now), changes);
  if (curve() && now >= next_follow_) {
    next_follow_ = now + hello_period;
    say(news_, follow_topic, encode_follow(options_.subscriber.classes));
  }
  introduce(now, entry);
  return changes;
}

void PeerEnd::introduce(MonoTime now, const std::optional<OwnerEntry>& entry) {
  const bool live = state_.phase() == SubscriberState::Phase::live;
  if (live && entry && (!was_live_ || now >= next_hello_)) {
    next_hello_ = now + hello_period;
    say(sync_, hello_topic, encode_owner(*entry));
  }
  was_live_ = live;
}

void PeerEnd::say(zmq::socket_t& socket, std::string_view topic, std::string text) {
  const auto payload = make_payload(std::move(text));
  (void)send(socket, {std::string(topic), {.flags = Flag::sync, .payload_crc = crc_of(payload)}, payload});
}

void PeerEnd::act(Effects effects, std::vector<Change>& changes) {
  std::move(effects.changes.begin(), effects.changes.end(), std::back_inserter(changes));
  if (effects.reconnect) {
    if (curve()) key_ = (key_ + 1) % options_.server_keys.size();
    try_connect();
  }
  if (effects.request) say(sync_, sync_topic, encode_request(*effects.request));
}

void PeerEnd::read_news(MonoTime now, std::vector<Change>& changes) {
  for (int n = 0; n < messages_per_turn; ++n) {
    auto frames = receive(news_);
    if (frames.empty()) return;
    if (frames.size() == 1 && frames[0].to_string_view() == welcome_topic) {
      act(state_.welcome(now), changes);
      continue;
    }
    auto message = message_of(frames, 0);
    if (message && !message->header.has(Flag::beat)) {
      act(state_.news(std::move(*message), now), changes);
      continue;
    }
    const auto beat = message && message->payload ? decode_beat(*message->payload) : fail(ErrorKind::bad_input, "");
    if (beat) act(state_.beat(message->header, *beat, now), changes);
    else ++undecodable_;
  }
}

void PeerEnd::read_chunks(MonoTime now, std::vector<Change>& changes) {
  for (int n = 0; n < messages_per_turn; ++n) {
    const auto frames = receive(sync_);
    if (frames.empty()) return;
    const auto message = message_of(frames, 0);
    auto chunk = message && message->payload ? decode_chunk(*message->payload, message->header.owner, now) : fail(ErrorKind::bad_input, "");
    if (chunk) act(state_.chunk(std::move(*chunk), now), changes);
    else ++undecodable_;
  }
}

}  // namespace nlb::bus
