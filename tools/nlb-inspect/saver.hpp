// -w: the packets of the flows that pass the filter. A flow's packets are held back until its protocol is known; both what one flow
// and what all flows together may hold is bounded, and beyond the bound a flow's earliest packets are lost and counted.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "libnlb/capture/flow.hpp"
#include "libnlb/capture/writer.hpp"

namespace nlb::inspect_tool {

class Saver {
 public:
  static constexpr std::size_t held_bytes_max = 256u << 20, held_bytes_per_flow_max = 1u << 20;
  Saver(capture::Writer writer, std::uint32_t wanted) : writer_(std::move(writer)), wanted_(wanted) {}   // a bit per protocol

  void packet(const capture::Flow& flow, const capture::Packet& packet);   // after the flow has counted it
  void ended(const capture::Flow& flow);
  Result<std::string> close();   // a line for people when something had to be left out

 private:
  struct Held {
    std::vector<capture::Packet> packets;   // their bytes lie in `bytes`, from begins[i] on
    std::vector<std::uint8_t> bytes;
    std::vector<std::size_t> begins;
  };
  bool passes(const capture::Flow& flow) const { return (wanted_ >> static_cast<unsigned>(flow.protocol) & 1) != 0; }
  void hold(std::uint64_t flow, const capture::Packet& packet);
  void release(std::uint64_t flow, bool write);

  capture::Writer writer_;
  std::uint32_t wanted_;
  std::unordered_map<std::uint64_t, Held> held_;
  std::size_t held_bytes_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace nlb::inspect_tool
