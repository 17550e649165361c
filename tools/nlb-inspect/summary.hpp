// Counts per protocol, with bars on a terminal.
#pragma once

#include <array>
#include <cstdint>

#include "libnlb/capture/flow.hpp"
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/text_out.hpp"

namespace nlb::inspect_tool {

struct Totals {   // of a whole run
  std::uint64_t packets = 0, tcp_segments = 0, fragments = 0, other = 0, damaged = 0, evicted = 0;
};

class Summary {
 public:
  void count(const capture::Flow& flow);
  void print(TextOut& out, cli::Output output, bool color, const Totals& totals) const;

 private:
  struct Row { std::uint64_t flows = 0, packets = 0, bytes = 0, midstream = 0; };
  void table(TextOut& out, bool color, const Totals& totals) const;
  std::array<Row, protocol_count> rows_{};
};

}  // namespace nlb::inspect_tool
