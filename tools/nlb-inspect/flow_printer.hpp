// Prints one record per flow: table, NDJSON or CSV, and under --explain the bytes and the rule.
#pragma once

#include <string>

#include "libnlb/capture/flow.hpp"
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/text_out.hpp"

namespace nlb::inspect_tool {

class FlowPrinter {
 public:
  FlowPrinter(TextOut& out, cli::Output output, bool color, bool explain, bool name_files);
  void begin();
  void print(const capture::Flow& flow, const std::string& file);

 private:
  void table(const capture::Flow& flow);
  void ndjson(const capture::Flow& flow, const std::string& file);
  void csv(const capture::Flow& flow, const std::string& file);
  void explain(const capture::Flow& flow);

  TextOut& out_;
  cli::Output output_;
  bool color_, explain_, name_files_;
};

std::string_view rule_name(const capture::Flow& flow);   // empty when no rule matched
std::string_view color_of(Protocol protocol);            // an ANSI sequence

}  // namespace nlb::inspect_tool
