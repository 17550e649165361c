// The way of a packet: filter, decode, flow table; and of a flow that has ended: protocol filter, print, count.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "libnlb/capture/decoder.hpp"
#include "libnlb/capture/filter.hpp"
#include "libnlb/capture/flow_table.hpp"
#include "tools/nlb-inspect/flow_printer.hpp"
#include "tools/nlb-inspect/flow_router.hpp"
#include "tools/nlb-inspect/options.hpp"
#include "tools/nlb-inspect/saver.hpp"
#include "tools/nlb-inspect/summary.hpp"

namespace nlb::inspect_tool {

struct Outputs {   // shared by all files of one run
  FlowPrinter* printer = nullptr;   // nullptr: --summary
  std::unique_ptr<FlowRouter> router;   // --route
  Summary summary;
  Totals totals;
  std::optional<Saver> saver;
  std::uint64_t passed = 0;
};

class Pipeline {   // one per capture: flows don't go on from one file to the next
 public:
  Pipeline(const CaptureOptions& options, capture::FlowOptions flow_options, capture::Filter& filter, Outputs& outputs, std::string file);

  void take(std::span<const capture::Packet> packets);   // at most batch_max
  void expire(std::int64_t now_ns) { flows_.expire(now_ns); }
  void finish();
  static constexpr std::size_t batch_max = 32;

 private:
  struct Ready {   // a decoded segment on its way into the table
    capture::Segment segment;
    capture::FlowKey key;
    unsigned side = 0;
    std::uint64_t hash = 0;
    const capture::Packet* packet = nullptr;
  };
  void decode(const capture::Packet& packet);
  void drain();
  void ended(const capture::Flow& flow);

  capture::Filter& filter_;
  bool filtered_;
  Outputs& outputs_;
  std::string file_;
  std::uint32_t wanted_;
  capture::Decoder decoder_;
  capture::FlowTable flows_;
  Ready ready_[batch_max];
  std::size_t ready_count_ = 0;
};

// A bit per protocol; all bits when none is named.
std::uint32_t wanted_protocols(const CaptureOptions& options);

}  // namespace nlb::inspect_tool
