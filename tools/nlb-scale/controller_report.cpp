// What the Controller tells: status, explain, history and forecast for the command line, news for the bus, metrics and /status.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "tools/nlb-scale/controller.hpp"

namespace nlb::tool {
namespace {

constexpr Duration forecast_published = std::chrono::hours(1);
std::int64_t unix_ms(WallTime t) { return t.time_since_epoch() / std::chrono::milliseconds(1); }

}  // namespace

v1::ScaleStatus Controller::status(const std::string& service) const {
  v1::ScaleStatus out;
  out.set_revision(revision_);
  out.set_epoch(epoch_);
  std::string last_service;
  for (const auto* s : scalers_of(service, "")) {
    *out.add_replicas() = s->replicas();
    if (const auto action = s->action()) *out.add_actions() = *action;
    if (s->service() == last_service && out.drains_size() > 0 && out.drains(out.drains_size() - 1).service() == last_service) {
      for (auto& d : s->drains()) *out.mutable_drains(out.drains_size() - 1)->add_drains() = std::move(d);
    } else if (auto drains = s->drains(); !drains.empty()) {
      auto& list = *out.add_drains();
      list.set_service(s->service());
      list.set_revision(drains_revision_);
      for (auto& d : drains) *list.add_drains() = std::move(d);
    }
    last_service = s->service();
  }
  std::string warning;
  for (const auto& [key, reason] : no_target_) warning += (warning.empty() ? "" : "; ") + key.first + "/" + key.second + " is not scaled: " + reason;
  out.set_warning(warning);
  return out;
}

Result<v1::ExplainScaleReply> Controller::explain(const std::string& service, const std::string& version) const {
  const auto found = named(service, version);
  if (!found) return tl::unexpected(found.error());
  v1::ExplainScaleReply reply;
  for (const auto* s : *found) {
    reply.set_text(reply.text() + s->explanation());
    if (!s->last()) continue;
    const auto& d = *s->last();
    for (std::size_t i = 0; i < d.opinion_count; ++i) {
      auto& o = *reply.add_opinions();
      o.set_rule(std::string(to_string(d.opinions[i].rule)));
      o.set_wanted(d.opinions[i].wanted);
      o.set_won(d.opinions[i].rule == d.winner && d.opinions[i].wanted == d.wanted);
      o.set_why(std::string(meaning(d.opinions[i].rule)));
      o.set_otherwise(o.won() ? d.counterfactual() : d.wanted);
    }
  }
  return reply;
}

v1::ScaleHistoryReply Controller::history(const std::string& service, std::uint32_t limit) const {
  v1::ScaleHistoryReply reply;
  std::vector<const Event*> chosen;
  for (auto at = history_.rbegin(); at != history_.rend() && chosen.size() < (limit == 0 ? 50 : limit); ++at)
    if (service.empty() || at->service == service) chosen.push_back(&*at);
  for (auto at = chosen.rbegin(); at != chosen.rend(); ++at) {
    const auto& e = **at;
    auto& out = *reply.add_entries();
    out.set_revision(e.revision);
    out.set_at_unix_ms(unix_ms(e.at));
    out.set_verb(e.verb);
    out.set_service(e.version.empty() ? e.service : e.service + "/" + e.version);
    out.set_text(e.text);
    out.set_actor(e.actor);
    out.set_request_id(e.request);
    out.set_id(e.id);
  }
  return reply;
}

Result<v1::Forecast> Controller::forecast(const std::string& service, Duration horizon) const {
  const auto found = named(service, "");
  if (!found) return tl::unexpected(found.error());
  const auto busiest = std::max_element(found->begin(), found->end(), [](auto* a, auto* b) { return a->replicas().load() < b->replicas().load(); });
  return (*busiest)->forecast(horizon > Duration{} ? horizon : forecast_published);
}

void Controller::publish_replicas(const Scaler& scaler) {
  if (!publisher_.publish) return;
  publish_drains(scaler.service());
  publisher_.publish(bus::make_topic("replicas", {scaler.service(), scaler.version()}), scaler.replicas().SerializeAsString());
  if (auto f = forecast(scaler.service(), forecast_published); f && f->points_size() > 0)
    publisher_.publish(bus::make_topic("forecasts", {scaler.service()}), f->SerializeAsString());
}

void Controller::publish_drains(const std::string& service) {
  if (!publisher_.publish) return;
  v1::Drains message;
  std::string names;
  for (const auto* s : scalers_of(service, ""))
    for (auto& d : s->drains()) {
      names += d.module() + " ";
      *message.add_drains() = std::move(d);
    }
  if (const auto [last, is_new] = published_drains_.emplace(service, names); !is_new && std::exchange(last->second, names) == names) return;
  message.set_service(service);
  message.set_revision(++drains_revision_);
  publisher_.publish(bus::make_topic("drains", {service}), message.SerializeAsString());
}

void Controller::collect(metrics::Snapshot& out) const {
  metrics::Histogram times;
  for (const auto& [key, s] : scalers_) {
    const auto* facts = facts_.find(key.first);
    const auto protocol = facts == nullptr ? std::string("unknown") : facts->protocol_name();
    const auto& c = s->counts();
    const auto replicas = s->replicas();
    out.add(metrics::scale_operations, {protocol, "up"}, c.operations_up);
    out.add(metrics::scale_operations, {protocol, "down"}, c.operations_down);
    out.add(metrics::current_replicas, {protocol}, static_cast<std::uint64_t>(replicas.actual()));
    out.add(metrics::scale_decisions, {protocol, "up"}, c.up);
    out.add(metrics::scale_decisions, {protocol, "down"}, c.down);
    out.add(metrics::scale_decisions, {protocol, "hold"}, c.hold);
    out.add(metrics::scale_wanted_replicas, {key.first}, static_cast<std::uint64_t>(replicas.wanted()));
    out.add(metrics::scale_failures, {key.first}, c.failures);
    times += s->decision_times();
  }
  out.add(metrics::scale_decision_duration, {}, times);
  out.add(metrics::leader, {}, 1);
}

std::string Controller::status_json() const {
  nlohmann::ordered_json out{{"tool", "nlb-scale"}, {"leading", true}, {"epoch", epoch_}, {"revision", revision_}, {"unreadable_messages", facts_.unreadable()},
                             {"services", nlohmann::ordered_json::array()}};
  for (const auto& [key, s] : scalers_) {
    const auto r = s->replicas();
    auto drains = nlohmann::ordered_json::array();
    for (const auto& d : s->drains()) drains.push_back({{"module", d.module()}, {"deadline_ms", d.deadline_ms()}, {"reason", d.reason()}});
    auto replicas = nlohmann::ordered_json::array();
    for (const auto& one : s->pool().replicas()) {
      const auto open = s->pool().sessions_of(one.id, std::chrono::steady_clock::now());
      replicas.push_back({{"id", one.id}, {"address", one.address}, {"ready", s->pool().ready(one.id)}, {"sessions", open ? nlohmann::ordered_json(*open) : nullptr}});
    }
    const auto& c = s->counts();
    out["services"].push_back({{"service", key.first}, {"version", key.second}, {"target", s->policy().target.kind}, {"wanted", r.wanted()}, {"actual", r.actual()},
                               {"ready", r.ready()}, {"min", r.min()}, {"max", r.max()}, {"load_replicas", r.load()}, {"decision", r.decision()}, {"rule", r.rule()},
                               {"reason", r.reason()}, {"alarm", r.alarm()}, {"drains", drains}, {"replicas", replicas},
                               {"decisions", {{"up", c.up}, {"down", c.down}, {"hold", c.hold}}},
                               {"operations", {{"up", c.operations_up}, {"down", c.operations_down}, {"failed", c.failures}}}});
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace nlb::tool
