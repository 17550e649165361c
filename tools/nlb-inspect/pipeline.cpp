#include "tools/nlb-inspect/pipeline.hpp"

namespace nlb::inspect_tool {

std::uint32_t wanted_protocols(const CaptureOptions& options) {
  if (options.protocols.empty()) return ~0u;
  std::uint32_t bits = 0;
  for (const auto& name : options.protocols)
    if (const auto protocol = parse_protocol(name)) bits |= 1u << static_cast<unsigned>(*protocol);
  return bits;
}

Pipeline::Pipeline(const CaptureOptions& options, capture::FlowOptions flow_options, capture::Filter& filter, Outputs& outputs,
                   std::string file)
    : filter_(filter), filtered_(!options.filter.empty()), outputs_(outputs), file_(std::move(file)), wanted_(wanted_protocols(options)),
      flows_(flow_options, [this](const capture::Flow& flow) { ended(flow); }) {}

// Three passes over a batch, so that the cache misses of 32 packets overlap: decode and ask for the index's line, ask for the flow's
// lines, then count.
void Pipeline::take(std::span<const capture::Packet> packets) {
  for (const auto& packet : packets) decode(packet);
  drain();
}

void Pipeline::decode(const capture::Packet& packet) {
  auto& totals = outputs_.totals;
  ++totals.packets;
  if (filtered_ && !filter_.passes(packet)) return;
  auto& ready = ready_[ready_count_];
  switch (decoder_.decode(packet, ready.segment)) {
    case capture::Found::segment: break;
    case capture::Found::fragment: return void(++totals.fragments);
    case capture::Found::other: return void(++totals.other);
    case capture::Found::damaged: return void(++totals.damaged);
  }
  ++totals.tcp_segments;
  ready.key = capture::FlowKey::of(ready.segment, ready.side);
  ready.hash = flows_.hash(ready.key);
  ready.packet = &packet;
  flows_.prefetch(ready.hash);
  ++ready_count_;
  const auto* payload = ready.segment.payload.data();
  const bool borrowed = payload < packet.bytes.data() || payload > packet.bytes.data() + packet.bytes.size();
  if (borrowed || ready_count_ == batch_max) drain();   // a reassembled datagram lives until the next one only
}

void Pipeline::drain() {
  for (std::size_t i = 0; i < ready_count_; ++i) flows_.prefetch_flow(ready_[i].hash);
  for (std::size_t i = 0; i < ready_count_; ++i) {
    const auto& ready = ready_[i];
    const auto& flow = flows_.add(ready.segment, ready.key, ready.side, ready.hash, ready.packet->time_ns);
    if (outputs_.saver) outputs_.saver->packet(flow, *ready.packet);
  }
  ready_count_ = 0;
}

void Pipeline::ended(const capture::Flow& flow) {
  if (outputs_.saver) outputs_.saver->ended(flow);
  if ((wanted_ >> static_cast<unsigned>(flow.protocol) & 1) == 0) return;
  ++outputs_.passed;
  if (outputs_.printer == nullptr) return outputs_.summary.count(flow);
  if (outputs_.router) outputs_.printer->print(flow, file_, outputs_.router->route(flow));
  else outputs_.printer->print(flow, file_);
}

void Pipeline::finish() {
  drain();
  flows_.finish();
  outputs_.totals.evicted += flows_.evicted();
}

}  // namespace nlb::inspect_tool
