#include "tools/nlb-inspect/flow_printer.hpp"

#include <algorithm>
#include <array>

#include "libnlb/core/time.hpp"
#include "libnlb/inspect/signatures.hpp"

namespace nlb::inspect_tool {
namespace {

using capture::Flow;
using capture::Side;

constexpr std::string_view columns = "time,client,server,protocol,details,first_speaker,start_seen,packets_client,packets_server,"
                                     "bytes_client,bytes_server,decided_at_byte,rule";

std::string endpoint(const Flow& flow, unsigned side) {
  return to_string(Endpoint{.kind = Endpoint::Kind::ip, .port = flow.key.port[side], .ip = flow.key.address[side], .host = {}});
}

std::string time_of(const Flow& flow) {
  return format_rfc3339(WallTime(Duration(flow.first_ns)), flow.first_ns % 1000 == 0 ? 6 : 9);
}

std::string_view first_speaker(const Flow& flow) {
  if (flow.spoke_first == static_cast<std::uint8_t>(Side::none)) return "none";
  return flow.spoke_first == flow.client_side() ? "client" : "server";
}

std::string details_text(const Flow& flow) {
  std::string text;
  if (!flow.story) return text;
  for (const auto& [key, value] : flow.story->details) (((text += text.empty() ? "" : " ") += key) += '=') += value;
  return text;
}

std::string hex_dump(Bytes bytes) {   // 16 bytes a line, with what is printable beside them
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    const auto row = bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at));
    text += "    ";
    for (std::size_t i = 0; i < 16; ++i) text += i < row.size() ? to_hex(row.subspan(i, 1)) + " " : "   ";
    text += " " + printable(as_text(row)) + "\n";
  }
  return text;
}

}  // namespace

std::string_view rule_name(const Flow& flow) {
  if (flow.guessed) return "port";
  return flow.protocol == Protocol::unknown ? std::string_view() : inspect::rule(flow.rule).name;
}

std::string_view color_of(Protocol protocol) {
  static constexpr std::array<std::string_view, protocol_count> colors = {"\033[32m", "\033[36m", "\033[33m", "\033[34m",
                                                                          "\033[92m", "\033[31m", "\033[35m", "\033[90m"};
  return colors[static_cast<std::size_t>(protocol)];
}

FlowPrinter::FlowPrinter(TextOut& out, cli::Output output, bool color, bool explain, bool name_files, bool routes)
    : out_(out), output_(output), color_(color), explain_(explain), name_files_(name_files), routes_(routes) {}

void FlowPrinter::begin() {
  if (output_ == cli::Output::csv) {
    out_ << columns << (routes_ ? ",service,module,why" : "") << (name_files_ ? ",file" : "");
    out_.end_line();
  }
  if (output_ == cli::Output::table) {
    out_ << "TIME                         CLIENT                 SERVER                 PROTOCOL    FIRST   "
            "PACKETS       BYTES             ";
    out_ << (routes_ ? "SERVICE         MODULE          DETAILS, WHY" : "DETAILS");
    out_.end_line();
  }
}

void FlowPrinter::print(const Flow& flow, const std::string& file, const Way& routed) {
  if (output_ == cli::Output::ndjson) ndjson(flow, file, routed);
  else if (output_ == cli::Output::csv) csv(flow, file, routed);
  else table(flow, routed);
  if (explain_ && output_ == cli::Output::table) explain(flow);
}

void FlowPrinter::table(const Flow& flow, const Way& routed) {
  const auto client = flow.client_side(), server = client ^ 1u;
  const auto both = [](std::uint64_t a, std::uint64_t b) { return std::to_string(a) + "/" + std::to_string(b); };
  out_.padded(time_of(flow), 29);
  out_.padded(endpoint(flow, client) + " ", 23);
  out_.padded(endpoint(flow, server) + " ", 23);
  if (color_) out_ << color_of(flow.protocol);
  out_.padded(std::string(to_string(flow.protocol)) + (flow.guessed ? "?" : ""), 12);
  if (color_) out_ << "\033[0m";
  out_.padded(std::string(first_speaker(flow)), 8);
  out_.padded(both(flow.packets[client], flow.packets[server]), 14);
  out_.padded(both(flow.bytes[client], flow.bytes[server]) + " ", 18);
  if (routed) {
    out_.padded((routed->service.empty() ? "-" : routed->service) + " ", 16);
    out_.padded((routed->module.empty() ? "-" : routed->module) + " ", 16);
  }
  out_ << (flow.start_seen ? "" : "(start not captured) ") << printable(details_text(flow));
  if (routed) out_ << (details_text(flow).empty() ? "" : "  ") << '(' << printable(routed->why) << ')';
  out_.end_line();
}

void FlowPrinter::ndjson(const Flow& flow, const std::string& file, const Way& routed) {
  const auto client = flow.client_side(), server = client ^ 1u;
  out_ << R"({"time":")" << time_of(flow) << R"(","client":")" << endpoint(flow, client) << R"(","server":")" << endpoint(flow, server)
       << R"(","protocol":")" << to_string(flow.protocol) << R"(","details":{)";
  if (flow.story) {
    bool first = true;
    for (const auto& [key, value] : flow.story->details) {
      if (!std::exchange(first, false)) out_ << ',';
      out_.json(key);
      out_ << ':';
      out_.json(value);
    }
  }
  out_ << R"(},"first_speaker":")" << first_speaker(flow) << R"(","start_seen":)" << (flow.start_seen ? "true" : "false")
       << R"(,"packets_client":)" << flow.packets[client] << R"(,"packets_server":)" << flow.packets[server]
       << R"(,"bytes_client":)" << flow.bytes[client] << R"(,"bytes_server":)" << flow.bytes[server]
       << R"(,"decided_at_byte":)" << std::uint64_t{flow.decided_at_byte} << R"(,"rule":)";
  if (rule_name(flow).empty()) out_ << "null";
  else out_.json(rule_name(flow));
  if (routed) {
    const auto name = [this](std::string_view key, const std::string& text) {
      out_ << key;
      if (text.empty()) out_ << "null";
      else out_.json(text);
    };
    name(R"(,"service":)", routed->service);
    name(R"(,"module":)", routed->module);
    name(R"(,"why":)", routed->why);
  }
  if (explain_) {
    const auto& rule = inspect::rule(flow.rule);
    const bool shown = flow.story && !flow.story->evidence.empty();
    out_ << R"(,"explain":{"from":")" << (shown && !flow.story->evidence_of_client ? "server" : "client") << R"(","bytes":")"
         << (shown ? to_hex(flow.story->evidence) : "") << R"(","nearest_rule":)";
    out_.json(rule.name);
    out_ << R"(,"matches":)";
    out_.json(rule.matches);
    out_ << R"(,"source":)";
    out_.json(rule.source);
    out_ << '}';
  }
  if (name_files_) {
    out_ << R"(,"file":)";
    out_.json(file);
  }
  out_ << '}';
  out_.end_line();
}

void FlowPrinter::csv(const Flow& flow, const std::string& file, const Way& routed) {
  const auto client = flow.client_side(), server = client ^ 1u;
  out_ << time_of(flow) << ',' << endpoint(flow, client) << ',' << endpoint(flow, server) << ',' << to_string(flow.protocol) << ',';
  out_.csv(details_text(flow));
  out_ << ',' << first_speaker(flow) << ',' << (flow.start_seen ? "true" : "false") << ',' << flow.packets[client] << ','
       << flow.packets[server] << ',' << flow.bytes[client] << ',' << flow.bytes[server] << ',' << std::uint64_t{flow.decided_at_byte}
       << ',' << rule_name(flow);
  if (routed) {
    for (const auto& text : {routed->service, routed->module, routed->why}) {
      out_ << ',';
      out_.csv(text);
    }
  }
  if (name_files_) {
    out_ << ',';
    out_.csv(file);
  }
  out_.end_line();
}

void FlowPrinter::explain(const Flow& flow) {
  const auto& rule = inspect::rule(flow.rule);
  const bool matched = flow.protocol != Protocol::unknown && !flow.guessed;
  if (!flow.story || flow.story->evidence.empty()) {
    out_ << "  no payload was captured that could be judged" << (flow.guessed ? "; the protocol is a guess by the server's port" : "");
    out_.end_line();
    return;
  }
  out_ << "  " << (flow.story->evidence_of_client ? "client's" : "server's") << " first bytes, decided at byte "
       << std::uint64_t{flow.decided_at_byte} << (matched ? ": rule " : ": no rule matches; the nearest is ") << rule.name << " ("
       << rule.matches << "), source: " << rule.source << "\n"
       << hex_dump(flow.story->evidence);
  out_.end_line();
}

}  // namespace nlb::inspect_tool
