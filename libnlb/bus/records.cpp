#include "libnlb/bus/records.hpp"

#include <algorithm>
#include <span>

#include "libnlb/bus/codec_topic.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::bus {

namespace {

constexpr int asked_classes_max = 64;      // in one question

std::uint32_t ms32(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / 1ms, 0, 0xffffffff)); }
Duration or_default(std::uint32_t ms, Duration otherwise) { return ms ? Duration(std::chrono::milliseconds(ms)) : otherwise; }

template <class To, class From>
To same_number(From value, To last) {      // enums of both sides are in the same order; a newer number is the last one
  const auto n = static_cast<int>(value);
  return n < 0 || n > static_cast<int>(last) ? last : static_cast<To>(n);
}

tl::unexpected<Error> unreadable(std::string_view what) {
  return fail(ErrorKind::bad_input, "read a " + std::string(what) + ": not a protobuf message of that kind");
}

registry::HealthSpec check_of(const v1::HealthCheck& m) {
  const registry::HealthSpec d;
  return {same_number(m.kind(), registry::CheckKind::none), or_default(m.interval_ms(), d.interval),
          or_default(m.timeout_ms(), std::min(d.timeout, or_default(m.interval_ms(), d.interval))), m.rise() ? m.rise() : d.rise,
          m.fall() ? m.fall() : d.fall, m.jitter_percent() ? m.jitter_percent() / 100.0 : d.jitter, m.target()};
}

}  // namespace

v1::Protocol to_proto(Protocol p) {
  return p == Protocol::unknown ? v1::PROTOCOL_UNSPECIFIED : static_cast<v1::Protocol>(static_cast<int>(p) + 1);
}
Protocol from_proto(v1::Protocol p) {
  const auto n = static_cast<int>(p);
  return n >= 1 && n <= static_cast<int>(Protocol::rtmp) + 1 ? static_cast<Protocol>(n - 1) : Protocol::unknown;
}

v1::Module to_proto(const registry::Module& m) {
  v1::Module out;
  out.set_name(m.name);
  out.set_service(m.service);
  out.set_protocol(to_proto(m.protocol));
  out.set_data_address(to_string(m.data));
  if (m.control) out.set_control_address(to_string(*m.control));
  out.set_version(m.version);
  out.set_colour(m.colour);
  out.set_weight(m.weight);
  out.set_zone(m.zone);
  out.set_priority(m.priority);
  out.set_backup(m.backup);
  out.set_max_connections(m.max_connections);
  out.set_send_proxy(static_cast<v1::SendProxy>(m.send_proxy));
  out.mutable_labels()->insert(m.labels.begin(), m.labels.end());
  out.set_incarnation(m.incarnation);
  out.set_lease_ms(ms32(m.lease));
  auto& check = *out.mutable_check();
  check.set_kind(static_cast<v1::CheckKind>(m.check.kind));
  check.set_interval_ms(ms32(m.check.interval));
  check.set_timeout_ms(ms32(m.check.timeout));
  check.set_rise(m.check.rise);
  check.set_fall(m.check.fall);
  check.set_jitter_percent(static_cast<std::uint32_t>(m.check.jitter * 100 + 0.5));
  check.set_target(m.check.target);
  out.mutable_state()->set_phase(static_cast<v1::Phase>(m.state.phase));
  out.mutable_state()->set_health(static_cast<v1::Health>(m.state.health));
  out.mutable_state()->set_reason(m.state.reason);
  return out;
}

Result<registry::Module> from_proto(const v1::Module& m) {
  registry::Module out;
  const auto data = parse_endpoint(m.data_address());
  if (!data) return fail(ErrorKind::bad_input, "module " + m.name().substr(0, 128) + ": data_address: " + data.error().text);
  if (!m.control_address().empty()) {
    const auto control = parse_endpoint(m.control_address());
    if (!control) return fail(ErrorKind::bad_input, "module " + m.name().substr(0, 128) + ": control_address: " + control.error().text);
    out.control = *control;
  }
  out.name = m.name();
  out.protocol = from_proto(m.protocol());
  out.service = m.service().empty() ? std::string(to_string(out.protocol)) : m.service();
  out.data = *data;
  if (!m.version().empty()) out.version = m.version();
  out.colour = m.colour();
  if (m.has_weight()) out.weight = m.weight();
  out.zone = m.zone();
  out.priority = m.priority();
  out.backup = m.backup();
  if (m.has_max_connections()) out.max_connections = m.max_connections();
  out.send_proxy = same_number(m.send_proxy(), registry::SendProxy::v2);
  out.labels = {m.labels().begin(), m.labels().end()};
  out.incarnation = m.incarnation();
  out.lease = std::chrono::milliseconds(m.lease_ms());       // 0: the registry's default
  out.check = check_of(m.check());
  out.state = {same_number(m.state().phase(), registry::Phase::draining), same_number(m.state().health(), registry::Health::unhealthy),
               m.state().reason()};
  return out;
}

namespace {

// Of an enum, as its caller sent it: proto3 hands over any number, and a reader would take one that it doesn't know for another.
Result<> known_number(std::string_view field, int value, std::span<const std::string_view> names, int from) {
  if (value >= from && value < from + static_cast<int>(names.size())) return {};
  std::string words;
  for (std::size_t i = 0; i < names.size(); ++i) words += (i == 0 ? "" : ", ") + std::string(names[i]) + " (" + std::to_string(from + static_cast<int>(i)) + ")";
  return fail(ErrorKind::bad_input, std::string(field) + " " + std::to_string(value) + " is not known: say one of " + words);
}

}  // namespace

Result<registry::Module> from_registration(const v1::Module& m) {
  if (m.protocol() != v1::PROTOCOL_UNSPECIFIED)      // which is missing, and refused as that
    if (auto ok = known_number("protocol", m.protocol(), std::span(protocol_names).first<protocol_count - 1>(), v1::PROTOCOL_HTTP); !ok) return tl::unexpected(ok.error());
  if (auto ok = known_number("send_proxy", m.send_proxy(), registry::send_proxy_names, v1::SEND_PROXY_NONE); !ok) return tl::unexpected(ok.error());
  if (auto ok = known_number("check.kind", m.check().kind(), registry::check_kind_names, v1::CHECK_KIND_PROTOCOL); !ok) return tl::unexpected(ok.error());
  return from_proto(m);
}

v1::HealthDetail to_proto(const registry::ModuleKey& key, const registry::HealthFacts& facts, registry::CheckKind kind) {
  v1::HealthDetail out;
  out.set_service(key.service);
  out.set_name(key.name);
  out.set_checked(static_cast<v1::Health>(facts.checked));
  out.set_reported(static_cast<v1::Health>(facts.reported));
  out.set_effective(static_cast<v1::Health>(effective(facts, kind)));
  out.set_good_in_row(facts.good_in_row);
  out.set_bad_in_row(facts.bad_in_row);
  out.set_last_error(facts.last_error);
  out.set_answer_us(static_cast<std::uint32_t>(std::clamp<std::int64_t>(facts.last_took / 1us, 0, 0xffffffff)));
  out.set_checks_total(facts.checks);
  out.set_failures_total(facts.failures);
  return out;
}

// ---- the bus's own messages

std::string encode_beat(const Beat& beat, std::string_view version) {
  v1::Beat out;
  out.set_head_seq(beat.head_seq);
  for (const auto& [name, seq] : beat.heads) {
    auto& head = *out.add_heads();
    head.set_class_name(name);
    head.set_seq(seq);
  }
  out.set_interval_ms(ms32(beat.interval));
  out.set_owner(beat.owner_name);
  out.set_version(std::string(version));
  return out.SerializeAsString();
}

Result<Beat> decode_beat(std::string_view bytes) {
  v1::Beat in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return unreadable("beat");
  Beat beat{in.head_seq(), {}, std::chrono::milliseconds(in.interval_ms()), in.owner()};
  for (const auto& head : in.heads()) beat.heads[head.class_name()] = head.seq();
  return beat;
}

std::string encode_request(const SyncRequest& request) {
  v1::SyncRequest out;
  out.set_request_id(request.id);
  for (const auto& name : request.classes) out.add_classes(name);
  out.set_have_epoch(request.have_epoch);
  out.set_have_seq(request.have_seq);
  return out.SerializeAsString();
}

Result<SyncRequest> decode_request(std::string_view bytes) {
  v1::SyncRequest in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || in.classes_size() > asked_classes_max) return unreadable("sync request");
  return SyncRequest{in.request_id(), {in.classes().begin(), in.classes().end()}, in.have_epoch(), in.have_seq()};
}

std::string encode_chunk(const SyncChunk& chunk, MonoTime now) {
  v1::SyncChunk out;
  out.set_delta(chunk.delta);
  out.set_epoch(chunk.epoch);
  out.set_seq(chunk.seq);
  out.set_index(chunk.index);
  out.set_last(chunk.last);
  out.set_count(chunk.count);
  out.set_hash(chunk.hash);
  for (const auto& update : chunk.entries) {
    auto& entry = *out.add_entries();
    entry.set_topic(update.topic);
    entry.set_seq(update.seq);
    entry.set_tombstone(update.gone());
    entry.set_age_ms(now > update.made_at ? static_cast<std::uint64_t>((now - update.made_at) / 1ms) : 0);
    if (!update.gone()) entry.set_payload(*update.payload);
  }
  return out.SerializeAsString();
}

std::string request_id_field(std::uint64_t id) {
  v1::SyncChunk only;
  only.set_request_id(id);
  return only.SerializeAsString();
}

std::string refused_classes_field(const std::vector<std::string>& classes) {
  v1::SyncChunk only;
  only.mutable_refused_classes()->Assign(classes.begin(), classes.end());
  return only.SerializeAsString();
}

std::string encode_follow(const std::vector<std::string>& classes) {
  v1::Follow out;
  out.mutable_classes()->Assign(classes.begin(), classes.end());
  return out.SerializeAsString();
}

Result<std::vector<std::string>> decode_follow(std::string_view bytes) {
  v1::Follow in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || in.classes_size() > asked_classes_max) return unreadable("follow");
  return std::vector<std::string>{in.classes().begin(), in.classes().end()};
}

namespace {

v1::Directory::Owner owner_message(const OwnerEntry& owner) {
  v1::Directory::Owner out;
  out.set_name(owner.name);
  out.set_publish(owner.publish);
  out.set_sync(owner.sync);
  out.set_curve_public_key(owner.key);
  return out;
}

OwnerEntry owner_of(const v1::Directory::Owner& in) { return {in.name(), in.publish(), in.sync(), in.curve_public_key()}; }

}  // namespace

std::string encode_owner(const OwnerEntry& owner) { return owner_message(owner).SerializeAsString(); }

Result<OwnerEntry> decode_owner(std::string_view bytes) {
  v1::Directory::Owner in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return unreadable("hello");
  return owner_of(in);
}

std::string encode_directory(const std::vector<OwnerEntry>& owners) {
  v1::Directory out;
  for (const auto& owner : owners) *out.add_owners() = owner_message(owner);
  return out.SerializeAsString();
}

Result<std::vector<OwnerEntry>> decode_directory(std::string_view bytes) {
  v1::Directory in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return unreadable("directory");
  std::vector<OwnerEntry> owners;
  for (const auto& owner : in.owners()) owners.push_back(owner_of(owner));
  return owners;
}

Result<SyncChunk> decode_chunk(std::string_view bytes, std::uint64_t owner, MonoTime now) {
  v1::SyncChunk in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return unreadable("sync chunk");
  SyncChunk chunk{in.request_id(), in.epoch(), owner, in.seq(), in.index(), in.delta(), in.last(), {}, in.count(), in.hash(), {in.refused_classes().begin(), in.refused_classes().end()}};
  chunk.entries.reserve(static_cast<std::size_t>(in.entries_size()));
  for (auto& entry : *in.mutable_entries()) {
    if (!is_topic(entry.topic())) return unreadable("topic in a sync chunk");
    const auto age = std::chrono::milliseconds(std::min<std::uint64_t>(entry.age_ms(), 1000ull * 3600 * 24 * 365));
    chunk.entries.push_back({std::move(*entry.mutable_topic()),
                             entry.tombstone() ? nullptr : make_payload(std::move(*entry.mutable_payload())), entry.seq(), 0, now - age});
  }
  return chunk;
}

}  // namespace nlb::bus
