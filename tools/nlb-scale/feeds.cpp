#include "tools/nlb-scale/feeds.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <nlohmann/json.hpp>

#include "libnlb/daemon/http_client.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/scale/prometheus.hpp"

namespace nlb::tool {
namespace {

using Json = nlohmann::json;
constexpr Duration page_deadline = std::chrono::seconds(3);
constexpr std::size_t line_bytes_max = 1 << 20;
constexpr std::string_view http = "http://";

struct Url { std::string authority, target; };
Url parts_of(const std::string& url) {
  const auto rest = url.substr(http.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  return {rest.substr(0, slash), slash < rest.size() ? rest.substr(slash) : "/"};
}

}  // namespace

Exporters::Exporters(std::vector<config::ScaleExporter> exporters, Duration interval, daemon::ControlLoop& loop, std::function<Controller*()> controller)
    : exporters_(std::move(exporters)), interval_(interval), loop_(loop), controller_(std::move(controller)) {
  if (!exporters_.empty()) thread_ = std::thread([this] { run(); });
}

Exporters::~Exporters() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Exporters::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const auto next = std::chrono::steady_clock::now() + interval_;
    for (const auto& exporter : exporters_) {
      lock.unlock();
      read(exporter);
      lock.lock();
      if (ending_) return;
    }
    changed_.wait_until(lock, next, [this] { return ending_; });
  }
}

void Exporters::read(const config::ScaleExporter& exporter) {
  const auto url = parts_of(exporter.url);
  auto address = parse_endpoint(url.authority);
  if (!address) address = parse_endpoint(url.authority + ":80");
  if (!address) return daemon::log::warning("an exporter's url is not understood", {{"url", exporter.url}, {"reason", address.error().text}});
  const auto page = daemon::http_get(*address, url.target, page_deadline);
  if (!page || page->status != 200)
    return daemon::log::warning("an exporter does not answer", {{"url", exporter.url}, {"reason", page ? "HTTP status " + std::to_string(page->status) : page.error().text}});
  const auto value = scale::scraped(page->body, exporter.metric, exporter.labels);
  if (!value) return daemon::log::warning("an exporter's page lacks the metric", {{"url", exporter.url}, {"metric", exporter.metric}});
  loop_.post([controller = controller_, exporter, value = *value] {
    if (auto* c = controller())
      c->measured(exporter.url + " " + exporter.metric, exporter.service, exporter.version, static_cast<scale::MetricKind>(exporter.kind), value.sum, value.counter);
  });
}

Result<> take_line(Controller& controller, const std::string& line) {
  const auto json = Json::parse(line, nullptr, false);
  const auto bad = [&](const std::string& why) { return fail(ErrorKind::bad_input, "line " + line.substr(0, 120) + ": " + why); };
  if (!json.is_object()) return bad("no JSON object: see nlb-scale(1)");
  const auto text = [&](const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
  const auto service = text("service");
  auto version = text("version");
  if (version.empty()) version = "v1";
  if (service.empty()) return bad("it names no service");
  if (const auto module = text("module"); !module.empty()) {
    std::optional<std::uint64_t> sessions;
    if (json.contains("sessions") && json["sessions"].is_number_unsigned()) sessions = json["sessions"].get<std::uint64_t>();
    const bool ready = !json.contains("ready") || json["ready"] == true;
    controller.module_seen(service, version, {module, text("instance"), text("address"), ready, false}, sessions, json.contains("gone") && json["gone"] == true);
    return {};
  }
  bool any = false;
  for (std::size_t k = 0; k < scale::metric_kinds; ++k) {
    const std::string name(scale::metric_names[k]);
    if (!json.contains(name)) continue;
    if (!json[name].is_number() || json[name].get<double>() < 0) return bad("'" + name + "' is no number of zero or more");
    const auto source = text("source");
    controller.measured(source.empty() ? "stdin" : source, service, version, static_cast<scale::MetricKind>(k), json[name].get<double>(), false);
    any = true;
  }
  return any ? Result<>{} : bad("it has none of rate, connections, cpu, memory, and no module");
}

struct LinesIn::Impl : std::enable_shared_from_this<Impl> {
  Impl(int descriptor, daemon::ControlLoop& l, std::function<Controller*()> c)
      : in(l.native(), ::dup(descriptor)), buffer(line_bytes_max), controller(std::move(c)) {}
  void next() {
    boost::asio::async_read_until(in, buffer, '\n', [self = shared_from_this()](const boost::system::error_code& error, std::size_t) { self->got(error); });
  }
  void got(const boost::system::error_code& error) {
    if (ended) return;
    if (error) {
      if (error != boost::asio::error::eof) daemon::log::warning("stdin is read no further", {{"reason", error.message()}});
      return;
    }
    std::istream stream(&buffer);
    std::string line;
    std::getline(stream, line);
    if (auto* c = controller(); c != nullptr && !line.empty())
      if (const auto taken = take_line(*c, line); !taken) daemon::log::warning(taken.error().text);
    next();
  }
  boost::asio::posix::stream_descriptor in;
  boost::asio::streambuf buffer;
  std::function<Controller*()> controller;
  bool ended = false;
};

LinesIn::LinesIn(int descriptor, daemon::ControlLoop& loop, std::function<Controller*()> controller)
    : impl_(std::make_shared<Impl>(descriptor, loop, std::move(controller))) {
  impl_->next();
}
LinesIn::~LinesIn() {
  impl_->ended = true;
  boost::system::error_code ignored;
  impl_->in.close(ignored);
}

}  // namespace nlb::tool
