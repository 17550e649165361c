#include "tools/nlb-inspect/summary.hpp"

#include <algorithm>
#include <string>

#include "libnlb/core/time.hpp"
#include "tools/nlb-inspect/flow_printer.hpp"

namespace nlb::inspect_tool {
namespace {

constexpr std::size_t bar_width = 30;

std::string bar(std::uint64_t part, std::uint64_t most) {   // in eighths of a cell
  static constexpr std::string_view eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto cells = most == 0 ? 0 : part * bar_width * 8 / most;
  std::string text;
  for (std::uint64_t i = 0; i < cells / 8; ++i) text += "█";
  text += eighths[cells % 8];
  return text.empty() && part > 0 ? "▏" : text;
}

}  // namespace

void Summary::count(const capture::Flow& flow) {
  auto& row = rows_[static_cast<std::size_t>(flow.protocol)];
  ++row.flows;
  row.packets += flow.packets[0] + flow.packets[1];
  row.bytes += flow.bytes[0] + flow.bytes[1];
  row.midstream += flow.start_seen ? 0 : 1;
}

void Summary::table(TextOut& out, bool color, const Totals& totals) const {
  std::uint64_t most = 0;
  for (const auto& row : rows_) most = std::max(most, row.flows);
  out << "PROTOCOL         FLOWS      PACKETS         BYTES   MID-STREAM";
  out.end_line();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto protocol = static_cast<Protocol>(i);
    out.padded(to_string(protocol), 12);
    out.padded(std::to_string(rows_[i].flows), 10, true);
    out.padded(std::to_string(rows_[i].packets), 13, true);
    out.padded(format_size(rows_[i].bytes), 14, true);
    out.padded(std::to_string(rows_[i].midstream), 13, true);
    out << "  " << (color ? color_of(protocol) : "") << bar(rows_[i].flows, most) << (color ? "\033[0m" : "");
    out.end_line();
  }
  out << totals.packets << " packets: " << totals.tcp_segments << " TCP, " << totals.fragments << " fragments, " << totals.other
      << " other, " << totals.damaged << " cut short or damaged; " << totals.evicted << " flows gave way at the limit";
  out.end_line();
}

void Summary::print(TextOut& out, cli::Output output, bool color, const Totals& totals) const {
  if (output == cli::Output::table) return table(out, color, totals);
  const bool csv = output == cli::Output::csv;
  if (csv) {
    out << "protocol,flows,packets,bytes,flows_midstream";
    out.end_line();
  }
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto name = to_string(static_cast<Protocol>(i));
    const auto& row = rows_[i];
    if (csv) out << name << ',' << row.flows << ',' << row.packets << ',' << row.bytes << ',' << row.midstream;
    else
      out << R"({"protocol":")" << name << R"(","flows":)" << row.flows << R"(,"packets":)" << row.packets << R"(,"bytes":)" << row.bytes
          << R"(,"flows_midstream":)" << row.midstream << '}';
    out.end_line();
  }
}

}  // namespace nlb::inspect_tool
