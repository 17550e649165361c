#include "libnlb/orchestrator/docker_driver.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/http_client.hpp"
#include "libnlb/orchestrator/backoff.hpp"
#include "libnlb/orchestrator/port.hpp"
#include "libnlb/orchestrator/spawn.hpp"

namespace nlb::orchestrator {
using daemon::HttpAnswer;
using daemon::HttpPeer;
using daemon::HttpRequest;
using daemon::url_escaped;

using daemon::mono_now;
namespace {

using nlohmann::json;
constexpr std::string_view api = "/v1.41";

constexpr Duration erase_time = std::chrono::seconds(2);   // kept back from a stop's deadline for the removal
constexpr Duration calm = std::chrono::minutes(1);         // all ran so long: earlier crashes are forgiven

struct Container { Instance instance; std::uint32_t index = 0; std::string engine_id; };

// Engine answers are input: wrong shapes give empty values or nothing, never an exception.
std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
json part_at(const json& object, const char* key) { return object.is_object() && object.contains(key) ? object[key] : json(); }

std::string message_of(const HttpAnswer& answer) {
  const auto said = text_at(json::parse(answer.body, nullptr, false), "message");
  return said.empty() ? "status " + std::to_string(answer.status) : said;
}

std::string address_of(const json& container) {
  if (const auto port = text_at(part_at(container, "Labels"), "nlb.port"); !port.empty()) return "127.0.0.1:" + port;
  for (const auto& network : part_at(part_at(container, "NetworkSettings"), "Networks"))
    if (auto ip = text_at(network, "IPAddress"); !ip.empty()) return ip;
  return {};
}

InstanceState state_of(const std::string& state, const std::string& status) {
  if (state == "removing" || state == "stopping") return InstanceState::stopping;
  if (state == "running" || state == "restarting" || state == "paused")
    return status.find("(healthy)") != std::string::npos ? InstanceState::ready : InstanceState::starting;
  return InstanceState::failed;   // created, configured, exited, dead: it doesn't run
}

std::optional<Container> container_of(const json& entry) {
  const auto labels = part_at(entry, "Labels");
  Container out;
  out.engine_id = text_at(entry, "Id");
  out.instance.id = text_at(labels, "nlb.instance");
  if (out.engine_id.empty() || out.instance.id.empty()) return std::nullopt;
  out.instance.version = text_at(labels, "nlb.version");
  out.instance.address = address_of(entry);
  const auto status = text_at(entry, "Status");
  out.instance.state = state_of(text_at(entry, "State"), status);
  if (out.instance.state == InstanceState::failed) out.instance.reason = status.empty() ? text_at(entry, "State") : status;
  const auto index = text_at(labels, "nlb.index");
  out.index = static_cast<std::uint32_t>(std::strtoul(index.c_str(), nullptr, 10));
  if (const auto created = part_at(entry, "Created"); created.is_number())
    out.instance.age = std::max(Duration{}, std::chrono::system_clock::now().time_since_epoch() - Duration(std::chrono::seconds(created.get<std::int64_t>())));
  return out;
}

}  // namespace

struct DockerDriver::Impl {
  explicit Impl(DockerOptions o)
      : options(std::move(o)), peer(*HttpPeer::plain({Endpoint::Kind::unix_path, 0, {}, options.socket})),
        replacing(options.restart_first, options.restart_most, options.seed) {}

  // An answer whose status isn't among `good` is an error in the engine's own words.
  Result<HttpAnswer> ask(const std::string& what, HttpRequest request, std::initializer_list<unsigned> good, MonoTime deadline) {
    request.target = std::string(api) + request.target;
    auto answer = peer.ask(request, deadline);
    if (!answer) return tl::unexpected(Error{answer.error().kind, what + ": " + answer.error().text});
    wished = answer->status == 429 || answer->status == 503 ? answer->retry_after.count() : 0;
    if (std::find(good.begin(), good.end(), answer->status) != good.end()) return answer;
    if (answer->status == 429) return fail(ErrorKind::unavailable, what + ": the engine is rate limited (429): it is asked less often now");
    const auto kind = answer->status == 404 ? ErrorKind::not_found : answer->status == 409 ? ErrorKind::conflict : ErrorKind::unavailable;
    return fail(kind, what + ": the engine refuses: " + message_of(*answer));
  }

  Result<std::vector<Container>> list(MonoTime deadline) {
    const json filters = {{"label", {"nlb.service=" + options.service, "nlb.version=" + options.version}}};
    auto answer = ask("can't list containers", {"GET", "/containers/json?all=true&filters=" + url_escaped(filters.dump()), {}, {}, {}}, {200}, deadline);
    if (!answer) return tl::unexpected(answer.error());
    const auto parsed = json::parse(answer->body, nullptr, false);
    if (!parsed.is_array())
      return fail(ErrorKind::bad_input, "can't list containers: " + peer.name() + " answers something that isn't a list: is it a Docker engine?");
    std::vector<Container> out;
    const std::lock_guard lock(mutex);
    for (const auto& entry : parsed)
      if (auto one = container_of(entry)) out.push_back(touched_up(std::move(*one)));
    std::sort(out.begin(), out.end(), [](const Container& a, const Container& b) { return a.index < b.index; });
    return out;
  }

  Container touched_up(Container one) {   // locked: what only we know
    auto& state = one.instance.state;
    if (leaving.contains(one.instance.id)) state = InstanceState::stopping;
    else if (state == InstanceState::starting && ready.contains(one.instance.id)) state = InstanceState::ready;
    return one;
  }

  std::string token_of(const std::vector<Container>& all) const {   // the engine has no version: the state itself is its name
    std::string text = std::to_string(desired.value_or(0));
    for (const auto& one : all) text += " " + one.engine_id;
    return std::to_string(std::hash<std::string>{}(text));
  }

  Observation observation(const std::vector<Container>& all) {
    Observation out;
    for (const auto& one : all) out.instances.push_back(one.instance);
    const std::lock_guard lock(mutex);
    if (!desired)   // after a restart: what is there was wanted
      desired = static_cast<std::uint32_t>(std::count_if(all.begin(), all.end(), [](const Container& one) {
        return one.instance.state != InstanceState::stopping;
      }));
    out.desired = *desired;
    out.token = token_of(all);
    return out;
  }

  Result<std::string> image_id(MonoTime deadline) {
    if (!pinned.empty()) return pinned;
    auto answer = ask("can't use image " + options.image, {"GET", "/images/" + url_escaped(options.image) + "/json", {}, {}, {}}, {200}, deadline);
    if (!answer && answer.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::unavailable, "can't start a container: image '" + options.image + "' isn't there: pull or build it first");
    if (!answer) return tl::unexpected(answer.error());
    pinned = text_at(json::parse(answer->body, nullptr, false), "Id");
    if (pinned.empty()) return fail(ErrorKind::bad_input, "the engine knows image '" + options.image + "' but doesn't say its id: is it a Docker engine?");
    return pinned;
  }

  Result<json> description(const std::string& id, std::uint32_t index, const std::string& image) const {
    std::map<std::string, std::string> values = {{"service", options.service}, {"version", options.version},
                                                 {"index", std::to_string(index)}, {"instance", id}};
    json labels = {{"nlb.service", options.service}, {"nlb.version", options.version}, {"nlb.instance", id}, {"nlb.index", values["index"]}};
    auto environment = options.environment;
    if (options.network == "host") {
      const auto port = free_port();
      if (!port) return tl::unexpected(port.error());
      environment["NLB_PORT"] = labels["nlb.port"] = values["port"] = std::to_string(*port);
    }
    json variables = json::array();
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + replaced({value}, values)[0]);
    for (const auto& [name, key] : {std::pair{"NLB_SERVICE", "service"}, {"NLB_VERSION", "version"}, {"NLB_INDEX", "index"}, {"NLB_INSTANCE", "instance"}})
      variables.push_back(std::string(name) + "=" + values[key]);
    json out = {{"Image", image}, {"Env", variables}, {"Labels", labels}, {"HostConfig", json::object()}};
    if (!options.command.empty()) out["Cmd"] = replaced(options.command, values);
    if (!options.network.empty()) out["HostConfig"]["NetworkMode"] = options.network;
    return out;
  }

  // A name is free once: two controllers, or a create whose answer got lost, can't make the same replica twice.
  Result<> create(std::uint32_t index, MonoTime deadline) {
    const auto image = image_id(deadline);
    if (!image) return tl::unexpected(image.error());
    const auto number = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto id = options.service + "-" + options.version + "-" + std::to_string(index) + "-" + std::to_string(number);
    const auto body = description(id, index, *image);
    if (!body) return tl::unexpected(body.error());
    auto made = ask("can't create container " + id, {"POST", "/containers/create?name=" + url_escaped("nlb-" + id), body->dump(), "application/json", {}}, {201}, deadline);
    if (!made) return tl::unexpected(made.error());
    const auto engine_id = text_at(json::parse(made->body, nullptr, false), "Id");
    auto started = ask("can't start container " + id, {"POST", "/containers/" + engine_id + "/start", {}, {}, {}}, {204, 304}, deadline);
    if (started) return {};
    static_cast<void>(erase(engine_id, deadline));   // what doesn't start doesn't stay
    return tl::unexpected(started.error());
  }

  Result<> erase(const std::string& engine_id, MonoTime deadline) {
    auto gone = ask("can't remove container " + engine_id.substr(0, 12), {"DELETE", "/containers/" + engine_id + "?force=true&v=true", {}, {}, {}}, {204, 200, 404}, deadline);
    return gone ? Result<>() : tl::unexpected(gone.error());
  }

  Result<> stop(const Container& one, Duration grace, MonoTime deadline) {
    {
      const std::lock_guard lock(mutex);
      leaving.insert(one.instance.id);
      ready.erase(one.instance.id);
    }
    const auto time = std::clamp(deadline - mono_now() - erase_time, Duration{}, grace);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
    // However the stop ends, in time or not, the removal is forced: TERM had its chance.
    auto stopped = ask("can't stop container " + one.instance.id, {"POST", "/containers/" + one.engine_id + "/stop?t=" + std::to_string(seconds), {}, {}, {}}, {204, 304, 404}, deadline);
    auto gone = erase(one.engine_id, deadline);
    const std::lock_guard lock(mutex);
    leaving.erase(one.instance.id);
    if (gone) withdrawn.erase(one.instance.id);
    return gone ? gone : stopped ? gone : tl::unexpected(stopped.error());
  }

  // Containers that ended make room for new ones: at once the first time, ever later when they keep ending.
  Result<> sweep(std::vector<Container>& all, MonoTime deadline) {
    const auto dead = std::stable_partition(all.begin(), all.end(), [](const Container& one) { return one.instance.state != InstanceState::failed; });
    if (dead == all.end()) {
      if (std::all_of(all.begin(), all.end(), [](const Container& one) { return one.instance.age >= calm; })) replacing.succeeded();
      return {};
    }
    if (const auto left = replacing.left(mono_now()); left > Duration{}) return {};   // they stay and count until then
    for (auto one = dead; one != all.end(); ++one)
      if (auto gone = erase(one->engine_id, deadline); !gone) return gone;
    all.erase(dead, all.end());
    replacing.failed(mono_now());
    return {};
  }

  Result<> grow(std::vector<Container> all, std::uint32_t count, MonoTime deadline) {
    if (auto swept = sweep(all, deadline); !swept) return swept;
    std::set<std::uint32_t> taken;
    std::uint32_t staying = 0;
    for (const auto& one : all) {
      taken.insert(one.index);
      staying += one.instance.state != InstanceState::stopping ? 1 : 0;
    }
    for (std::uint32_t index = 0; staying < count; ++index) {
      if (!taken.insert(index).second) continue;
      if (auto made = create(index, deadline); !made) return made;
      ++staying;
    }
    return {};
  }

  Result<> shrink(const std::vector<Container>& all, const std::vector<std::string>& going, MonoTime deadline) {
    std::vector<std::future<Result<>>> stops;   // side by side: graces don't add up
    for (const auto& one : all)
      if (std::find(going.begin(), going.end(), one.instance.id) != going.end())
        stops.push_back(std::async(std::launch::async, [this, one, deadline] { return stop(one, options.stop_grace, deadline); }));
    Result<> out;
    for (auto& one : stops)
      if (auto stopped = one.get(); !stopped) out = stopped;
    return out;
  }

  const DockerOptions options;
  const HttpPeer peer;
  Backoff replacing;              // of set() alone
  std::string pinned;             // of set() alone
  std::atomic<Duration::rep> wished{0};
  std::mutex mutex;               // guards what follows: remove() comes from other threads
  std::set<std::string> ready, leaving, withdrawn;
  std::optional<std::uint32_t> desired;
};

DockerDriver::DockerDriver(DockerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
DockerDriver::~DockerDriver() = default;

Result<Observation> DockerDriver::observe(MonoTime deadline) {
  const auto all = impl_->list(deadline);
  if (!all) return tl::unexpected(all.error());
  return impl_->observation(*all);
}

Result<> DockerDriver::set(std::uint32_t count, const std::string& token, MonoTime deadline) {
  auto all = impl_->list(deadline);
  if (!all) return tl::unexpected(all.error());
  const auto seen = impl_->observation(*all);
  if (!token.empty() && token != seen.token) return fail(ErrorKind::conflict, "the containers changed meanwhile: observe again");
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->desired = count;
  }
  const auto staying = static_cast<std::uint32_t>(std::count_if(all->begin(), all->end(), [](const Container& one) {
    return one.instance.state != InstanceState::stopping;
  }));
  if (staying > count) return impl_->shrink(*all, who_goes(seen.instances, staying - count), deadline);
  return impl_->grow(std::move(*all), count, deadline);
}

Result<> DockerDriver::remove(const std::string& instance, Duration grace, MonoTime deadline) {
  const auto all = impl_->list(deadline);
  if (!all) return tl::unexpected(all.error());
  const auto found = std::find_if(all->begin(), all->end(), [&](const Container& one) { return one.instance.id == instance; });
  if (found == all->end()) return {};
  static_cast<void>(impl_->observation(*all));   // learns `desired` after a restart
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->withdrawn.insert(instance).second && *impl_->desired > 0) --*impl_->desired;   // once, however often it is tried
  }
  return impl_->stop(*found, grace, deadline);
}

void DockerDriver::mark_ready(const std::string& instance) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->ready.size() < 100000) impl_->ready.insert(instance);
}

Duration DockerDriver::retry_after() const { return Duration(impl_->wished.load()); }

}  // namespace nlb::orchestrator
