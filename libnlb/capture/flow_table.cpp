#include "libnlb/capture/flow_table.hpp"

#include <algorithm>
#include <utility>

#include "libnlb/capture/ports.hpp"

namespace nlb::capture {
namespace {

constexpr std::uint8_t reset_bit = 4, both_sides = 3;

bool is_closed(const Flow& flow) { return (flow.closing & reset_bit) || (flow.closing & both_sides) == both_sides; }

}  // namespace

FlowTable::FlowTable(FlowOptions options, OnEnd on_end) : options_(options), on_end_(std::move(on_end)), index_(1024), mask_(1023) {
  options_.flows_max = std::clamp<std::size_t>(options_.flows_max, 1, 1u << 30);
}
FlowTable::~FlowTable() = default;

void FlowTable::prefetch_flow(std::uint64_t hash) const {
  const auto& entry = index_[hash & mask_];
  if (entry.flow == 0) return;
  __builtin_prefetch(&at(entry.flow), 1);
  __builtin_prefetch(reinterpret_cast<const char*>(&at(entry.flow)) + 64, 1);
}

std::uint32_t FlowTable::find(const FlowKey& key, std::uint64_t hash) const {
  for (auto i = hash & mask_;; i = (i + 1) & mask_) {
    const auto& entry = index_[i];
    if (entry.flow == 0) return 0;
    if (entry.hash == static_cast<std::uint32_t>(hash) && at(entry.flow).key == key) return entry.flow;
  }
}

void FlowTable::insert(std::uint32_t id) {
  auto i = at(id).slot_hash & mask_;
  while (index_[i].flow != 0) i = (i + 1) & mask_;
  index_[i] = {at(id).slot_hash, id};
}

// Linear probing without tombstones: entries behind the hole move up when their home allows it (Knuth 6.4, algorithm R).
void FlowTable::erase(std::uint32_t id) {
  auto hole = at(id).slot_hash & mask_;
  while (index_[hole].flow != id) hole = (hole + 1) & mask_;
  for (auto i = (hole + 1) & mask_; index_[i].flow != 0; i = (i + 1) & mask_) {
    const auto home = index_[i].hash & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    index_[hole] = index_[i];
    hole = i;
  }
  index_[hole] = {};
}

void FlowTable::grow() {
  const auto old = std::exchange(index_, std::vector<Entry>(index_.size() * 2));
  mask_ = index_.size() - 1;
  for (const auto& entry : old)
    if (entry.flow != 0) insert(entry.flow);
}

void FlowTable::push(List& list, std::uint32_t id) {
  auto& flow = at(id);
  flow.older = list.newest;
  flow.newer = 0;
  if (list.newest != 0) at(list.newest).newer = id;
  else list.oldest = id;
  list.newest = id;
}

void FlowTable::unlink(std::uint32_t id) {
  auto& flow = at(id);
  auto& list = is_closed(flow) ? closed_ : open_;
  if (flow.older != 0) at(flow.older).newer = flow.newer;
  else list.oldest = flow.newer;
  if (flow.newer != 0) at(flow.newer).older = flow.older;
  else list.newest = flow.older;
}

std::uint32_t FlowTable::create(const FlowKey& key, std::uint64_t hash, std::int64_t now_ns) {
  if (used_ >= options_.flows_max) make_room();
  if ((used_ + 1) * 2 > index_.size()) grow();
  std::uint32_t id = 0;
  if (free_.empty()) {
    id = next_id_++;
    if (id / chunk_flows >= chunks_.size()) chunks_.push_back(std::make_unique<Flow[]>(chunk_flows));
  } else {
    id = free_.back();
    free_.pop_back();
  }
  auto& flow = at(id);
  flow.key = key;
  flow.slot_hash = static_cast<std::uint32_t>(hash);
  flow.first_ns = flow.last_ns = flow.looked_ns = now_ns;
  flow.number = ++seen_;
  ++used_;
  insert(id);
  push(open_, id);
  return id;
}

void FlowTable::end(std::uint32_t id) {
  auto& flow = at(id);
  guess_client(flow);
  if (flow.opening) flow.opening->settle(flow, options_.judge);
  flow.opening.reset();
  if (options_.ports && flow.protocol == Protocol::unknown) {
    flow.protocol = protocol_of_port(flow.key.port[flow.client_side() ^ 1u]);
    flow.guessed = flow.protocol != Protocol::unknown;
  }
  unlink(id);
  erase(id);
  on_end_(flow);
  flow = Flow{};
  free_.push_back(id);
  --used_;
}

// Ports decide nothing here but which end is printed first: the higher one is likelier the client's (RFC 6335 section 6).
void FlowTable::guess_client(Flow& flow) const {
  if (flow.client != static_cast<std::uint8_t>(Side::none)) return;
  flow.client = flow.key.port[1] > flow.key.port[0] ? 1 : 0;
  if (flow.key.port[0] == flow.key.port[1] && flow.spoke_first == 1) flow.client = 1;
}

void FlowTable::make_room() {
  if (closed_.oldest != 0) return end(closed_.oldest);   // it was going to end anyway
  for (int chances = 0; chances < 64 && second_chance(open_.oldest); ++chances) {}
  ++evicted_;
  end(open_.oldest);
}

// Busy since it was last looked at: it goes to the back of the list.
bool FlowTable::second_chance(std::uint32_t id) {
  auto& flow = at(id);
  if (flow.last_ns <= flow.looked_ns) return false;
  unlink(id);
  flow.looked_ns = flow.last_ns;
  push(open_, id);
  return true;
}

void FlowTable::expire(std::int64_t now_ns) {
  while (closed_.oldest != 0 && now_ns - at(closed_.oldest).last_ns > options_.linger_ns) end(closed_.oldest);
  while (open_.oldest != 0 && now_ns - at(open_.oldest).looked_ns > options_.idle_ns)
    if (!second_chance(open_.oldest)) end(open_.oldest);
}

void FlowTable::finish() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> rest;
  for (const auto& entry : index_)
    if (entry.flow != 0) rest.emplace_back(at(entry.flow).number, entry.flow);
  std::sort(rest.begin(), rest.end());
  for (const auto& [number, id] : rest) end(id);
}

// A SYN or SYN-ACK that the flow's sequence numbers contradict: the pair of ports is used again.
bool FlowTable::starts_anew(const Flow& flow, const Segment& segment, unsigned side) const {
  const bool same_client = segment.has(TcpFlags::ack) && (flow.initial_known >> (side ^ 1u) & 1) &&
                           flow.initial[side ^ 1u] + 1 == segment.acknowledgement;
  if (same_client) return false;
  if (flow.initial_known >> side & 1) return flow.initial[side] != segment.sequence;
  return !(flow.start_seen && segment.has(TcpFlags::ack));
}

void FlowTable::note_start(Flow& flow, const Segment& segment, unsigned side) {
  const bool answer = segment.has(TcpFlags::ack);
  flow.start_seen = true;
  if ((flow.initial_known >> side & 1) && flow.initial[side] != segment.sequence)   // several answers to one SYN: which one counts
    flow.initial_known = static_cast<std::uint8_t>(flow.initial_known | 4u << side);   // is known by the first payload
  flow.client = static_cast<std::uint8_t>(answer ? side ^ 1u : side);
  flow.initial[side] = segment.sequence;
  flow.initial_known = static_cast<std::uint8_t>(flow.initial_known | 1u << side);
  if (!answer || (flow.initial_known >> (side ^ 1u) & 1)) return;
  flow.initial[side ^ 1u] = segment.acknowledgement - 1;   // its SYN was not captured, or is yet to come
  flow.initial_known |= both_sides;
}

void FlowTable::note_close(std::uint32_t id, const Segment& segment, unsigned side) {
  auto& flow = at(id);
  if (is_closed(flow)) return;
  auto closing = flow.closing;
  if (segment.has(TcpFlags::rst)) closing |= reset_bit;
  if (segment.has(TcpFlags::fin)) closing = static_cast<std::uint8_t>(closing | 1u << side);
  const bool closes = (closing & reset_bit) || (closing & both_sides) == both_sides;
  if (closes) unlink(id);
  flow.closing = closing;
  if (closes) push(closed_, id);
}

void FlowTable::take_payload(Flow& flow, const Segment& segment, unsigned side) {
  if (flow.spoke_first == static_cast<std::uint8_t>(Side::none)) {
    flow.spoke_first = static_cast<std::uint8_t>(side);
    flow.opening = std::make_unique<Opening>();
  }
  if (!segment.payload.empty() && flow.opening->take(flow, side, segment, options_.judge)) flow.opening.reset();
}

Flow& FlowTable::add(const Segment& segment, const FlowKey& key, unsigned side, std::uint64_t hash, std::int64_t now_ns) {
  if ((++ticks_ & 255) == 0) expire(now_ns);
  auto id = find(key, hash);
  const bool syn = segment.has(TcpFlags::syn);
  if (id != 0 && syn && starts_anew(at(id), segment, side)) end(std::exchange(id, 0));
  if (id == 0) id = create(key, hash, now_ns);
  auto& flow = at(id);
  flow.last_ns = now_ns;
  ++flow.packets[side];
  flow.bytes[side] += segment.length;
  if (syn) note_start(flow, segment, side);
  const bool reset = segment.has(TcpFlags::rst);   // what a reset carries is a diagnostic text, RFC 9293 section 3.5.3
  if (segment.length != 0 && !reset && (flow.opening || flow.spoke_first == static_cast<std::uint8_t>(Side::none)))
    take_payload(flow, segment, side);
  if (segment.flags & (TcpFlags::fin | TcpFlags::rst)) note_close(id, segment, side);
  return flow;
}

}  // namespace nlb::capture
