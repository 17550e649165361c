#include "tools/nlb-inspect/saver.hpp"

namespace nlb::inspect_tool {

void Saver::hold(std::uint64_t flow, const capture::Packet& packet) {
  auto& held = held_[flow];
  const auto size = packet.bytes.size();
  if (held.bytes.size() + size > held_bytes_per_flow_max || held_bytes_ + size > held_bytes_max) {
    lost_ += held.packets.size();
    held_bytes_ -= held.bytes.size();
    held = {};
    if (held_bytes_ + size > held_bytes_max) return void(++lost_);
  }
  held.begins.push_back(held.bytes.size());
  held.bytes.insert(held.bytes.end(), packet.bytes.begin(), packet.bytes.end());
  held.packets.push_back(packet);
  held_bytes_ += size;
}

void Saver::release(std::uint64_t flow, bool write) {
  const auto at = held_.find(flow);
  if (at == held_.end()) return;
  auto& held = at->second;
  for (std::size_t i = 0; write && i < held.packets.size(); ++i) {
    auto packet = held.packets[i];
    packet.bytes = Bytes(held.bytes).subspan(held.begins[i], packet.bytes.size());
    writer_.write(packet);
  }
  held_bytes_ -= held.bytes.size();
  held_.erase(at);
}

void Saver::packet(const capture::Flow& flow, const capture::Packet& packet) {
  if (!flow.decided) return hold(flow.number, packet);
  const bool wanted = passes(flow);
  if (!held_.empty()) release(flow.number, wanted);
  if (wanted) writer_.write(packet);
}

void Saver::ended(const capture::Flow& flow) {
  if (!held_.empty()) release(flow.number, passes(flow));
}

Result<std::string> Saver::close() {
  const auto refused = writer_.refused();
  if (const auto closed = writer_.close(); !closed) return tl::unexpected<Error>(closed.error());
  std::string note;
  if (lost_ > 0)
    note += std::to_string(lost_) + " packets of flows that stayed undecided for long were not written: they were held up to " +
            std::to_string(held_bytes_per_flow_max >> 20) + " MiB a flow and " + std::to_string(held_bytes_max >> 20) + " MiB in all. ";
  if (refused > 0)
    note += std::to_string(refused) + " packets of another link type were not written, since a pcap has one: name the file .pcapng. ";
  return note;
}

}  // namespace nlb::inspect_tool
