#include "libnlb/bus/owner_state.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

bool wants(const SyncRequest& request, std::string_view topic) {
  if (request.classes.empty()) return true;
  return std::find(request.classes.begin(), request.classes.end(), class_of(topic)) != request.classes.end();
}

std::uint64_t age_ms(MonoTime made, MonoTime now) {
  return made < now ? static_cast<std::uint64_t>((now - made) / 1ms) : 0;
}

std::size_t bytes_of(const Update& update) { return update.topic.size() + (update.payload ? update.payload->size() : 0) + 32; }

}  // namespace

OwnerState::OwnerState(OwnerOptions options) : options_(std::move(options)) {}

Result<Update> OwnerState::publish(std::string_view topic, Payload payload, MonoTime now) {
  if (!is_topic(topic)) return fail(ErrorKind::internal, "publish \"" + std::string(topic.substr(0, 80)) + "\": that is no topic");
  if (!payload || payload->size() > payload_bytes_max)
    return fail(ErrorKind::refused, "publish " + std::string(topic) + ": the payload is missing or over " + std::to_string(payload_bytes_max) + " bytes");
  if (facts_.size() >= options_.topics_max && !facts_.contains(topic))
    return fail(ErrorKind::refused, "publish " + std::string(topic) + ": there are " + std::to_string(options_.topics_max) + " topics already");
  if (heads_.size() >= options_.classes_max && !heads_.contains(class_of(topic)))
    return fail(ErrorKind::refused, "publish " + std::string(topic) + ": there are " + std::to_string(options_.classes_max) + " classes already");
  auto update = number(topic, std::move(payload), now);
  facts_.insert_or_assign(update.topic, update);
  return update;
}

std::optional<Update> OwnerState::withdraw(std::string_view topic, MonoTime now) {
  const auto found = facts_.find(topic);
  if (found == facts_.end()) return std::nullopt;
  facts_.erase(found);
  return number(topic, nullptr, now);
}

Update OwnerState::number(std::string_view topic, Payload payload, MonoTime now) {
  auto& head_of_class = heads_[std::string(class_of(topic))];
  const auto seq = ++head_;
  const auto back = std::min<std::uint64_t>(seq - head_of_class, std::numeric_limits<std::uint32_t>::max());
  head_of_class = seq;
  log_.push_back({std::string(topic), std::move(payload), seq, static_cast<std::uint32_t>(back), now});
  if (log_.size() > options_.log_max) log_.pop_front();
  return log_.back();
}

Header OwnerState::header(const Update& update, MonoTime now) const {
  return {header_version, update.gone() ? std::uint32_t{tombstone} : 0, options_.epoch, update.seq, options_.id,
          age_ms(update.made_at, now), update.class_back, crc_of(update.payload)};
}

Header OwnerState::header_of_beat(const Payload& payload) const {
  return {header_version, Flag::beat, options_.epoch, head_, options_.id, 0, 0, crc_of(payload)};
}

Beat OwnerState::beat() const { return {head_, heads_, options_.beat_interval, options_.name}; }

std::vector<SyncChunk> OwnerState::answer(const SyncRequest& request) const {
  const bool delta = request.have_epoch == options_.epoch && request.have_seq <= head_ && head_ - request.have_seq <= log_.size();
  std::vector<const Update*> entries;
  if (delta) {
    const auto missed = static_cast<std::ptrdiff_t>(head_ - request.have_seq);
    std::for_each(log_.end() - missed, log_.end(), [&](const Update& u) { if (wants(request, u.topic)) entries.push_back(&u); });
  } else {
    for (const auto& [topic, update] : facts_)
      if (wants(request, topic)) entries.push_back(&update);
  }
  return chunks(request, entries, delta);
}

std::vector<SyncChunk> OwnerState::chunks(const SyncRequest& request, const std::vector<const Update*>& entries, bool delta) const {
  std::vector<SyncChunk> all;
  std::size_t bytes = 0;
  std::uint32_t hash = 0;
  const auto open = [&] {
    SyncChunk chunk{request.id, options_.epoch, options_.id, head_, static_cast<std::uint32_t>(all.size()), delta, false, {}, 0, 0};
    all.push_back(std::move(chunk));
    bytes = 0;
  };
  open();
  for (const auto* entry : entries) {
    const bool full = all.back().entries.size() >= options_.chunk_entries_max || bytes + bytes_of(*entry) > options_.chunk_bytes_max;
    if (full && !all.back().entries.empty()) open();
    all.back().entries.push_back(*entry);
    bytes += bytes_of(*entry);
    hash = sync_hash(*entry, hash);
  }
  all.back().last = true;
  all.back().count = entries.size();
  all.back().hash = hash;
  return all;
}

const Update* OwnerState::find(std::string_view topic) const {
  const auto found = facts_.find(topic);
  return found == facts_.end() ? nullptr : &found->second;
}

}  // namespace nlb::bus
