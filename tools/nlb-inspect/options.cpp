#include "tools/nlb-inspect/options.hpp"

#include <map>

#include "tools/nlb-inspect/manual.hpp"

namespace nlb::inspect_tool {
namespace {

void declare_capture(CLI::App& app, CaptureOptions& o) {
  app.add_option("captures", o.files, "capture files: pcap, pcapng or snoop; - is standard input (the default)")->option_text("FILE...");
  app.add_option("-i,--interface", o.interface, "capture from this network interface until interrupted")->option_text("IFACE");
  app.add_option("-f,--filter", o.filter, "look only at packets that pass this BPF expression (pcap-filter(7))")->option_text("EXPRESSION");
  std::map<std::string, std::string> words;
  for (const auto name : protocol_names) words.emplace(name, name);
  app.add_option("-p,--protocol", o.protocols, "only flows of this protocol; may be given several times: http, tls, mysql, postgresql, mongodb, redis, rtmp, unknown")
      ->transform(cli::choice_validator(std::move(words)))->delimiter(',')->allow_extra_args(false)->option_text("PROTOCOL");
  app.add_option("-w,--write", o.save_to, "write the packets of the flows that passed to this file (pcap, or pcapng when it ends in .pcapng)")
      ->option_text("OUT.pcap");
  auto* summary = app.add_flag("--summary", o.summary, "print counts per protocol instead of flows");
  app.add_option("--route", o.route, "add where this configuration would have sent each flow: service, module and why")
      ->excludes(summary)->option_text("NLB.YAML");
  app.add_flag("--explain", o.explain, "show for every flow which bytes matched which rule, and the rule's source");
  app.add_flag("--ports", o.ports, "where content says nothing, guess by the server's port (such flows have the rule \"port\")");
  app.add_option("--flows-max", o.flows_max, "flows held in memory at once; above it the one unused for longest is printed as it stands (default: 1000000)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000'000}).description(""))->option_text("N");
  app.add_option("--idle", o.idle, "a flow without packets for this long has ended (default: 1h)")->option_text("DURATION");
}

void declare_bytes(CLI::App& command, BytesOptions& o) {
  command.add_option("file", o.file, "where the bytes are; - is standard input (the default)")->option_text("FILE");
  command.add_flag("--hex", o.hex, "the input is hexadecimal text");
  command.add_flag("--lines", o.lines, "every input line is hexadecimal and judged on its own");
  const std::map<std::string, inspect::Speaker> speakers = {{"client", inspect::Speaker::client}, {"server", inspect::Speaker::server}};
  cli::add_choice(command, "--from", o.from, speakers, "who sent the bytes: client (default) or server")->option_text("WHO");
}

void declare_bus(CLI::App& command, BusOptions& o) {
  command.add_option("topics", o.topics, "only these classes (splits) or beginnings (modules/web); all when none is named")->option_text("TOPIC...");
  command.add_option("--connect", o.connect, "an owner's endpoint, ipc:///path or tcp://address:port; may be given several times (default: bus.subscribe, "
                     "else the well-known names of this machine)")->allow_extra_args(false)->option_text("ENDPOINT");
  command.add_option("--config", o.config.file, "configuration file")->option_text("FILE");
  command.add_flag("--once", o.once, "print what is there and end; exits 1 when that is nothing and 4 when no owner answers");
  command.add_option("--count", o.count, "end after this many lines")->option_text("N");
  command.add_option("--timeout", o.timeout, "with --once: how long to wait for owners that don't answer (default: 2s)")->option_text("DURATION");
}

}  // namespace

Commands declare(CLI::App& app, Options& options) {
  cli::set_up(app, options.common, manual());
  cli::add_output_option(app, options.common, true);
  declare_capture(app, options.capture);
  auto* bytes = app.add_subcommand("bytes", "say which protocol raw bytes or hexadecimal text open; exits 1 when none is recognised");
  declare_bytes(*bytes, options.bytes);
  auto* bus = app.add_subcommand("bus", "print the bus as NDJSON: everything that is there, then every change, until interrupted");
  declare_bus(*bus, options.bus);
  return {bytes, bus};
}

}  // namespace nlb::inspect_tool
