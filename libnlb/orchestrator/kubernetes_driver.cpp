#include "libnlb/orchestrator/kubernetes_driver.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/http_client.hpp"

namespace nlb::orchestrator {
using daemon::HttpAnswer;
using daemon::HttpPeer;
using daemon::HttpRequest;
using daemon::url_escaped;

using daemon::mono_now;
namespace {

using nlohmann::json;
constexpr const char* cost_key = "controller.kubernetes.io/pod-deletion-cost";
constexpr const char* cost_lowest = "-2147483647";   // an int32 as text; pods without it count as 0
constexpr int conflicts_max = 5;
constexpr std::size_t pods_max = 20000;
constexpr Duration owner_period = std::chrono::minutes(5);

// API answers are input: wrong shapes give empty values, never an exception.
json at(const json& object, std::initializer_list<const char*> path) {
  json here = object;
  for (const char* key : path) {
    const auto found = here.is_object() ? here.find(key) : here.end();
    if (!here.is_object() || found == here.end()) return {};
    here = json(*found);
  }
  return here;
}
std::string text(const json& object, std::initializer_list<const char*> path) {
  const auto value = at(object, path);
  return value.is_string() ? value.get<std::string>() : std::string();
}
std::uint32_t number(const json& object, std::initializer_list<const char*> path) {   // replicas: 0 is left out by the API
  const auto value = at(object, path);
  return value.is_number_integer() ? static_cast<std::uint32_t>(std::clamp<std::int64_t>(value.get<std::int64_t>(), 0, 1000000)) : 0;
}

bool has_condition(const json& pod, std::string_view type) {
  for (const auto& one : at(pod, {"status", "conditions"}))
    if (text(one, {"type"}) == type) return text(one, {"status"}) == "True";
  return false;
}

// CrashLoopBackOff, ImagePullBackOff, ErrImagePull and their like: it won't come up by waiting alone.
std::string stuck_reason(const json& pod) {
  for (const auto& one : at(pod, {"status", "containerStatuses"})) {
    const auto reason = text(one, {"state", "waiting", "reason"});
    if (!reason.empty() && reason != "ContainerCreating" && reason != "PodInitializing") return reason + ": " + text(one, {"state", "waiting", "message"});
  }
  return {};
}

bool is_over(const json& pod) {
  const auto phase = text(pod, {"status", "phase"});
  return phase == "Failed" || phase == "Succeeded";
}

Instance instance_of(const json& pod, const std::string& version) {
  Instance out;
  out.id = text(pod, {"metadata", "name"});
  out.version = version;
  out.address = text(pod, {"status", "podIP"});
  for (const auto& one : at(pod, {"status", "containerStatuses"})) out.restarts += number(one, {"restartCount"});
  out.reason = is_over(pod) ? text(pod, {"status", "phase"}) + " " + text(pod, {"status", "reason"}) : stuck_reason(pod);
  out.state = !text(pod, {"metadata", "deletionTimestamp"}).empty() ? InstanceState::stopping
              : !out.reason.empty()                                 ? InstanceState::failed
              : has_condition(pod, "Ready")                         ? InstanceState::ready
                                                                    : InstanceState::starting;
  return out;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

struct KubernetesDriver::Impl {
  Impl(KubernetesOptions o, HttpPeer p) : options(std::move(o)), peer(std::move(p)) {}

  std::string scale_path() const { return "/apis/apps/v1/namespaces/" + url_escaped(options.name_space) + "/deployments/" + url_escaped(options.deployment) + "/scale"; }
  std::string pods_path() const { return "/api/v1/namespaces/" + url_escaped(options.name_space) + "/pods"; }
  std::string name() const { return "deployment " + options.name_space + "/" + options.deployment; }

  Error refusal(const std::string& what, const HttpAnswer& answer) const {
    const auto said = text(json::parse(answer.body, nullptr, false), {"message"});
    const auto words = what + ": the API answers " + std::to_string(answer.status) + (said.empty() ? "" : " (" + said + ")");
    switch (answer.status) {
      case 401: return {ErrorKind::refused, words + ": check the token in " + options.token_file};
      case 403: return {ErrorKind::refused, words + ": allow get and update on deployments/scale, and list, get and patch on pods"};
      case 404: return {ErrorKind::not_found, words + ": check its name and namespace"};
      case 409: return {ErrorKind::conflict, words + ": observe again"};
      case 429: return {ErrorKind::unavailable, words + ": it is asked less often now"};
      default: return {ErrorKind::unavailable, words};
    }
  }

  Result<json> ask(const std::string& what, HttpRequest request, MonoTime deadline) {
    if (!options.token_file.empty()) {
      request.bearer = first_line(options.token_file);
      if (request.bearer.empty()) return fail(ErrorKind::unavailable, what + ": no token in " + options.token_file + ": mount the service account or name token_file");
    }
    auto answer = peer.ask(request, deadline);
    if (!answer) return tl::unexpected(Error{answer.error().kind, what + ": " + answer.error().text});
    wished = answer->status == 429 || answer->status == 503 ? answer->retry_after.count() : 0;
    if (answer->status != 200 && answer->status != 201) return tl::unexpected(refusal(what, *answer));
    auto parsed = json::parse(answer->body, nullptr, false);
    if (parsed.is_object()) return parsed;
    return fail(ErrorKind::bad_input, what + ": " + peer.name() + " answers something that isn't a JSON object: is it a Kubernetes API server?");
  }

  Result<json> scale(MonoTime deadline) {
    auto answer = ask("can't read the scale of " + name(), {"GET", scale_path(), {}, {}, {}}, deadline);
    if (answer && (text(*answer, {"kind"}) != "Scale" || text(*answer, {"metadata", "resourceVersion"}).empty()))
      return fail(ErrorKind::bad_input, "the scale of " + name() + " has no kind Scale or no resourceVersion: is it a Kubernetes API server?");
    return answer;
  }

  Result<> put(std::uint32_t count, const std::string& version, MonoTime deadline) {
    const json body = {{"apiVersion", "autoscaling/v1"}, {"kind", "Scale"},
                       {"metadata", {{"name", options.deployment}, {"namespace", options.name_space}, {"resourceVersion", version}}},
                       {"spec", {{"replicas", count}}}};
    auto done = ask("can't scale " + name() + " to " + std::to_string(count), {"PUT", scale_path(), body.dump(), "application/json", {}}, deadline);
    return done ? Result<>() : tl::unexpected(done.error());
  }

  Result<std::vector<json>> pods(const std::string& selector, MonoTime deadline) {
    std::vector<json> out;
    std::string next;
    if (selector.empty()) return fail(ErrorKind::bad_input, "the scale of " + name() + " has no selector: its pods can't be told from others");
    do {
      auto page = ask("can't list the pods of " + name(),
                      {"GET", pods_path() + "?labelSelector=" + url_escaped(selector) + "&limit=500" + (next.empty() ? "" : "&continue=" + url_escaped(next)), {}, {}, {}}, deadline);
      if (!page) return tl::unexpected(page.error());
      for (const auto& pod : at(*page, {"items"})) out.push_back(pod);
      next = text(*page, {"metadata", "continue"});
    } while (!next.empty() && out.size() < pods_max);
    return out;
  }

  // Two controllers of one count fight for ever. Who may not read autoscalers can't know, and goes on.
  Result<> check_owner(MonoTime deadline) {
    if (options.take_over || (checked && mono_now() - *checked < owner_period)) return {};
    auto all = ask("can't list autoscalers", {"GET", "/apis/autoscaling/v2/namespaces/" + url_escaped(options.name_space) + "/horizontalpodautoscalers", {}, {}, {}}, deadline);
    if (!all && all.error().kind != ErrorKind::refused && all.error().kind != ErrorKind::not_found) return tl::unexpected(all.error());
    for (const auto& one : all ? at(*all, {"items"}) : json::array())
      if (text(one, {"spec", "scaleTargetRef", "kind"}) == "Deployment" && text(one, {"spec", "scaleTargetRef", "name"}) == options.deployment)
        return fail(ErrorKind::refused, name() + " belongs to the autoscaler '" + text(one, {"metadata", "name"}) + "': delete it, or set target.kubernetes.take_over");
    checked = mono_now();
    return {};
  }

  Result<> patch_cost(const std::string& pod, const json& value, MonoTime deadline) {
    const json body = {{"metadata", {{"annotations", {{cost_key, value}}}}}};
    auto done = ask("can't mark pod " + pod, {"PATCH", pods_path() + "/" + url_escaped(pod), body.dump(), "application/merge-patch+json", {}}, deadline);
    return done ? Result<>() : tl::unexpected(done.error());
  }

  // One fewer, unless this removal was ordered before and only the cluster hasn't acted yet.
  Result<> one_fewer(bool marked_before, MonoTime deadline) {
    for (int tries = 0;; ++tries) {
      auto seen = scale(deadline);
      if (!seen) return tl::unexpected(seen.error());
      const auto wanted = number(*seen, {"spec", "replicas"}), there = number(*seen, {"status", "replicas"});
      if (wanted == 0 || (marked_before && there > wanted)) return {};
      auto done = put(wanted - 1, text(*seen, {"metadata", "resourceVersion"}), deadline);
      if (done || done.error().kind != ErrorKind::conflict || tries >= conflicts_max) return done;
    }
  }

  const KubernetesOptions options;
  const HttpPeer peer;
  std::optional<MonoTime> checked;   // of set() alone
  std::mutex removal;                // one at a time: each reads and lowers the same count
  std::atomic<Duration::rep> wished{0};
};

KubernetesDriver::KubernetesDriver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KubernetesDriver::~KubernetesDriver() = default;

Result<std::unique_ptr<KubernetesDriver>> KubernetesDriver::open(KubernetesOptions options) {
  auto peer = options.tls ? HttpPeer::tls(options.server, options.ca_file) : HttpPeer::plain(options.server);
  if (!peer) return tl::unexpected(peer.error());
  return std::unique_ptr<KubernetesDriver>(new KubernetesDriver(std::make_unique<Impl>(std::move(options), std::move(*peer))));
}

Result<Observation> KubernetesDriver::observe(MonoTime deadline) {
  const auto scale = impl_->scale(deadline);
  if (!scale) return tl::unexpected(scale.error());
  const auto pods = impl_->pods(text(*scale, {"status", "selector"}), deadline);
  if (!pods) return tl::unexpected(pods.error());
  Observation out;
  out.desired = number(*scale, {"spec", "replicas"});
  out.token = text(*scale, {"metadata", "resourceVersion"});
  for (const auto& pod : *pods) out.instances.push_back(instance_of(pod, impl_->options.version));
  return out;
}

Result<> KubernetesDriver::set(std::uint32_t count, const std::string& token, MonoTime deadline) {
  if (auto owned = impl_->check_owner(deadline); !owned) return owned;
  if (!token.empty()) return impl_->put(count, token, deadline);
  for (int tries = 0;; ++tries) {
    const auto scale = impl_->scale(deadline);
    if (!scale) return tl::unexpected(scale.error());
    if (number(*scale, {"spec", "replicas"}) == count) return {};
    auto done = impl_->put(count, text(*scale, {"metadata", "resourceVersion"}), deadline);
    if (done || done.error().kind != ErrorKind::conflict || tries >= conflicts_max) return done;
  }
}

Result<> KubernetesDriver::remove(const std::string& instance, Duration, MonoTime deadline) {
  const std::lock_guard lock(impl_->removal);
  const auto pod = impl_->ask("can't read pod " + instance, {"GET", impl_->pods_path() + "/" + url_escaped(instance), {}, {}, {}}, deadline);
  if (!pod && pod.error().kind == ErrorKind::not_found) return {};
  if (!pod) return tl::unexpected(pod.error());
  if (!text(*pod, {"metadata", "deletionTimestamp"}).empty()) return {};
  const bool marked_before = text(*pod, {"metadata", "annotations", cost_key}) == cost_lowest;
  if (!marked_before)
    if (auto marked = impl_->patch_cost(instance, cost_lowest, deadline); !marked) return marked;
  auto done = impl_->one_fewer(marked_before, deadline);
  if (!done) static_cast<void>(impl_->patch_cost(instance, nullptr, deadline));   // else the next shrink would take it by surprise
  return done;
}

Duration KubernetesDriver::retry_after() const { return Duration(impl_->wished.load()); }

}  // namespace nlb::orchestrator
