#include "tools/nlb-inspect/bus_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <set>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/print.hpp"
#include "libnlb/bus/wiring.hpp"
#include "tools/nlb-inspect/text_out.hpp"

namespace nlb::inspect_tool {
namespace {

constexpr auto look = std::chrono::milliseconds(20);

class LinePrinter {            // called by the bus's thread alone; `lines` is read by the waiting one
 public:
  explicit LinePrinter(const BusOptions& options) : options_(options), out_(STDOUT_FILENO) {}
  void print(const bus::Change& change) {
    if (!wanted(change.topic) || (options_.count != 0 && lines >= options_.count)) return;
    bus::Header header;
    header.flags = change.kind == bus::Change::Kind::gone ? std::uint32_t{bus::tombstone} : 0;
    header.epoch = change.epoch;
    header.seq = change.seq;
    header.owner = change.owner;
    header.age_ms = static_cast<std::uint64_t>(std::max(Duration{}, std::chrono::steady_clock::now() - change.made_at) / 1ms);
    auto line = bus::to_json({change.topic, header, change.payload});
    if (change.kind == bus::Change::Kind::quarantined) line.insert(line.size() - 1, R"(,"quarantined":true)");
    out_ << line;
    out_.end_line();
    out_.flush();
    ++lines;
  }
  std::atomic<std::uint64_t> lines{0};

 private:
  bool wanted(std::string_view topic) const {
    return options_.topics.empty() || std::any_of(options_.topics.begin(), options_.topics.end(), [&](const std::string& t) {
      return topic.starts_with(t) && (topic.size() == t.size() || topic[t.size()] == '/');
    });
  }
  const BusOptions& options_;
  TextOut out_;
};

Result<bus::Options> to_bus(const BusOptions& o, config::Config config) {
  std::set<std::string> classes;
  for (const auto& topic : o.topics) {
    if (!bus::is_topic(topic)) return fail(ErrorKind::usage, "\"" + topic + "\" is no topic: name a class or its beginning, like modules/web");
    classes.emplace(bus::class_of(topic));
  }
  if (!o.connect.empty()) config.bus.subscribe = o.connect;
  config.bus.publish.clear();                  // it owns nothing
  auto to = bus::wire(config, cli::places_of("inspect"), "all");
  if (!to) return to;
  to->subscriber.classes.assign(classes.begin(), classes.end());
  to->merged = false;                          // people want to see who says what
  to->follow_directory = o.connect.empty();
  return to;
}

std::size_t live(const bus::Status& status) {
  return static_cast<std::size_t>(std::count_if(status.peers.begin(), status.peers.end(), [](const bus::PeerStatus& peer) {
    return peer.phase == bus::SubscriberState::Phase::live;
  }));
}

// True when a signal asked to end.
bool interrupted(const sigset_t& signals) {
  const timespec wait{0, std::chrono::nanoseconds(look).count()};
  return ::sigtimedwait(&signals, nullptr, &wait) > 0;
}

}  // namespace

Result<cli::ExitCode> run_bus(const Options& options) {
  const auto& o = options.bus;
  const auto timeout = parse_duration(o.timeout);
  if (!timeout) return fail(ErrorKind::usage, "--timeout " + o.timeout + ": " + timeout.error().text);
  auto file = cli::load_config(o.config, "inspect");
  if (!file) return tl::unexpected(file.error());
  auto wiring = to_bus(o, file->config);
  if (!wiring) return tl::unexpected(wiring.error());

  sigset_t signals;            // before the bus starts its threads, which must leave them to us
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  LinePrinter printer(o);
  auto started = bus::Bus::start(std::move(*wiring), [&](const bus::PeerChange& news) {
    for (const auto& change : news.changes) printer.print(change);
  });
  if (!started) return tl::unexpected(started.error());
  auto& bus = **started;
  const auto end = std::chrono::steady_clock::now() + *timeout;
  const auto enough = [&] { return o.count != 0 && printer.lines >= o.count; };
  while (!enough() && !interrupted(signals)) {
    if (!o.once) continue;
    const auto status = bus.status();
    if (live(status) == status.peers.size()) break;
    if (std::chrono::steady_clock::now() < end) continue;
    if (live(status) == 0)
      return fail(ErrorKind::unavailable, "no owner on the bus answered within " + o.timeout + ": is a daemon running? name its endpoint with --connect");
    break;
  }
  return o.once && printer.lines == 0 ? cli::ExitCode::no : cli::ExitCode::done;
}

}  // namespace nlb::inspect_tool
