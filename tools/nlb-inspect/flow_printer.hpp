// Prints one record per flow: table, NDJSON or CSV, under --explain the bytes and the rule, and under --route the way it would have gone.
#pragma once

#include <optional>
#include <string>

#include "libnlb/capture/flow.hpp"
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/flow_router.hpp"
#include "tools/nlb-inspect/text_out.hpp"

namespace nlb::inspect_tool {

class FlowPrinter {
 public:
  FlowPrinter(TextOut& out, cli::Output output, bool color, bool explain, bool name_files, bool routes);
  void begin();
  void print(const capture::Flow& flow, const std::string& file, const std::optional<Routed>& routed = {});

 private:
  using Way = std::optional<Routed>;   // absent without --route
  void table(const capture::Flow& flow, const Way& routed);
  void ndjson(const capture::Flow& flow, const std::string& file, const Way& routed);
  void csv(const capture::Flow& flow, const std::string& file, const Way& routed);
  void explain(const capture::Flow& flow);

  TextOut& out_;
  cli::Output output_;
  bool color_, explain_, name_files_, routes_;
};

std::string_view rule_name(const capture::Flow& flow);   // empty when no rule matched
std::string_view color_of(Protocol protocol);            // an ANSI sequence

}  // namespace nlb::inspect_tool
