#include "tools/nlb-inspect/capture_command.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <random>

#include "libnlb/capture/file.hpp"
#include "libnlb/capture/live.hpp"
#include "libnlb/core/time.hpp"
#include "tools/nlb-inspect/pipeline.hpp"
#include "tools/nlb-inspect/progress.hpp"

namespace nlb::inspect_tool {
namespace {

volatile std::sig_atomic_t interrupted = 0;
void on_interrupt(int) { interrupted = 1; }

void end_on_interrupt() {   // the first one ends the capture, a second one the program
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Result<capture::FlowOptions> flow_options(const CaptureOptions& options) {
  const auto idle = parse_duration(options.idle);
  if (!idle) return fail(ErrorKind::usage, "--idle " + options.idle + ": " + idle.error().text);
  capture::FlowOptions to;
  to.flows_max = options.flows_max;
  to.idle_ns = idle->count();
  to.ports = options.ports;
  to.judge = {.details = !options.summary, .evidence = options.explain};
  to.seed = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  return to;
}

struct Run {
  const CaptureOptions& options;
  capture::FlowOptions flows;
  capture::Filter filter;
  Outputs outputs;
};

Result<> read_file(Run& run, const std::string& path) {
  auto file = capture::File::open(path);
  if (!file) return tl::unexpected<Error>(file.error());
  Progress progress(file->size());
  Pipeline pipeline(run.options, run.flows, run.filter, run.outputs, path);
  capture::Packet batch[Pipeline::batch_max];
  Result<> result{};
  while (interrupted == 0) {
    const auto count = file->next(batch);
    if (!count) {
      result = tl::unexpected<Error>(count.error());
      break;
    }
    if (*count == 0) break;
    pipeline.take({batch, *count});
    progress.at(file->bytes_read());
  }
  pipeline.finish();
  return result;
}

Result<> read_interface(Run& run) {
  auto live = capture::Live::open(run.options.interface, run.options.filter);
  if (!live) return tl::unexpected<Error>(live.error());
  CaptureOptions unfiltered = run.options;
  unfiltered.filter.clear();   // the kernel has done it
  Pipeline pipeline(unfiltered, run.flows, run.filter, run.outputs, run.options.interface);
  end_on_interrupt();
  std::cerr << "nlb-inspect: capturing on " << run.options.interface << "; Ctrl-C ends it\n";
  Result<> result{};
  while (interrupted == 0 && result) {
    result = live->poll([&](const capture::Packet& packet) { pipeline.take({&packet, 1}); });
    pipeline.expire(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count());
  }
  pipeline.finish();
  const auto counts = live->counts();
  std::cerr << "nlb-inspect: " << counts.received << " packets captured, " << counts.dropped << " dropped by the kernel\n";
  return result;
}

// All files are read even when one fails; the first error is the one that the exit code tells.
Result<> read_files(Run& run) {
  auto files = run.options.files;
  if (files.empty()) files.emplace_back("-");
  Result<> first{};
  for (const auto& file : files) {
    if (file == "-" && ::isatty(STDIN_FILENO) != 0)
      return fail(ErrorKind::usage, "standard input is a terminal, not a capture: name a file, or pipe one in: tcpdump -w - | nlb-inspect -");
    const auto read = read_file(run, file);
    if (read) continue;
    if (first) first = read;
    else std::cerr << "nlb-inspect: " << read.error().text << "\n";
  }
  return first;
}

// What -w names is emptied when it is opened: not before there is something to read, and never where that is what is read.
Result<bool> may_write(const CaptureOptions& o) {
  bool readable = !o.interface.empty() || o.files.empty();
  for (const auto& file : o.files) {
    std::error_code none;
    if (std::filesystem::equivalent(file, o.save_to, none)) return fail(ErrorKind::usage, "-w " + o.save_to + " is the capture that is read: name another file");
    readable = readable || file == "-" || ::access(file.c_str(), R_OK) == 0;
  }
  return readable;   // else reading says why it can't
}

Result<Run> prepare(const CaptureOptions& o) {
  if (!o.interface.empty() && !o.files.empty())
    return fail(ErrorKind::usage, "-i " + o.interface + " and files exclude each other: choose one");
  auto flows = flow_options(o);
  if (!flows) return tl::unexpected<Error>(flows.error());
  auto filter = capture::Filter::compile(o.filter);
  if (!filter) return tl::unexpected<Error>(filter.error());
  Run run{o, *flows, std::move(*filter), {}};
  if (!o.route.empty()) {
    auto router = FlowRouter::load(o.route);
    if (!router) return tl::unexpected<Error>(router.error());
    run.outputs.router = std::move(*router);
  }
  if (o.save_to.empty()) return run;
  const auto may = may_write(o);
  if (!may) return tl::unexpected<Error>(may.error());
  if (!*may) return run;
  auto writer = capture::Writer::create(o.save_to);
  if (!writer) return tl::unexpected<Error>(writer.error());
  run.outputs.saver.emplace(std::move(*writer), wanted_protocols(o));
  return run;
}

// Closes what -w wrote and says on stderr what limits cost.
Result<> close_outputs(Outputs& outputs) {
  if (outputs.totals.evicted > 0)
    std::cerr << "nlb-inspect: " << outputs.totals.evicted << " flows were printed before they ended, to make room: raise --flows-max\n";
  if (!outputs.saver) return {};
  const auto note = outputs.saver->close();
  if (!note) return tl::unexpected<Error>(note.error());
  if (!note->empty()) std::cerr << "nlb-inspect: " << *note << "\n";
  return {};
}

}  // namespace

Result<cli::ExitCode> run_capture(const Options& options) {
  const auto& o = options.capture;
  auto run = prepare(o);
  if (!run) return tl::unexpected<Error>(run.error());
  const auto output = cli::effective_output(options.common);
  const bool color = cli::use_color(options.common);
  TextOut out(STDOUT_FILENO);
  FlowPrinter printer(out, output, color, o.explain, o.files.size() > 1, !o.route.empty());
  if (!o.summary) {
    run->outputs.printer = &printer;
    printer.begin();
  }
  const auto read = o.interface.empty() ? read_files(*run) : read_interface(*run);
  if (o.summary) run->outputs.summary.print(out, output, color, run->outputs.totals);
  out.flush();
  const auto closed = close_outputs(run->outputs);
  if (!read || !closed) return tl::unexpected<Error>(read ? closed.error() : read.error());
  return !o.protocols.empty() && run->outputs.passed == 0 ? cli::ExitCode::no : cli::ExitCode::done;
}

}  // namespace nlb::inspect_tool
