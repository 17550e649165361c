// What a Scaler tells: to the bus, to people, and to the store.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-scale/scaler.hpp"

namespace nlb::tool {

using daemon::mono_now;
namespace {

using Json = nlohmann::json;

WallTime wall_now() { return std::chrono::system_clock::now(); }
std::int64_t unix_ms(WallTime t) { return t.time_since_epoch() / std::chrono::milliseconds(1); }
WallTime from_unix_ms(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }
std::uint32_t ms32(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / std::chrono::milliseconds(1), 0, 0xffffffff)); }

// The metric that asks for most replicas.
std::optional<scale::Metric> busiest(const scale::Decision& d, const scale::Policy& policy) {
  std::optional<scale::Metric> best;
  double most = -1;
  for (std::size_t i = 0; i < d.metric_count; ++i) {
    const auto target = policy.target[static_cast<std::size_t>(d.metrics[i].kind)];
    if (target > 0 && d.metrics[i].total / target > most) {
      most = d.metrics[i].total / target;
      best = d.metrics[i];
    }
  }
  return best;
}

constexpr std::string_view drain_named = " named";

std::string decision_word(const scale::Decision& d) { return d.wanted > d.current ? "up" : d.wanted < d.current ? "down" : "hold"; }

}  // namespace

std::string Scaler::alarm() const {
  if (!observe_error_.empty()) return "the target can't be observed: " + observe_error_;
  if (const auto status = target_->status(); status.alarm) return status.alarm_text;
  if (!store_error_.empty()) return "nothing is changed, because it can't be written down: " + store_error_;
  if (running_ && !running_->error.empty()) return running_->error;
  return {};
}

v1::Replicas Scaler::replicas() const {
  const auto counts = pool_.counts();
  v1::Replicas out;
  out.set_service(service());
  out.set_version(version());
  out.set_actual(counts.live);
  out.set_ready(counts.ready);
  out.set_min(options_.policy.min);
  out.set_max(options_.policy.max);
  out.set_revision(revision_);
  out.set_paused_up(pause_up_);
  out.set_paused_down(pause_down_);
  out.set_alarm(alarm());
  out.set_wanted(counts.ordered);
  if (!last_) {
    out.set_decision("hold");
    out.set_reason("nothing is decided yet");
    return out;
  }
  out.set_wanted(last_->wanted);
  out.set_decision(decision_word(*last_));
  out.set_rule(std::string(to_string(last_->winner)));
  out.set_reason(std::string(meaning(last_->winner)));
  out.set_decided_ago_ms(static_cast<std::uint64_t>((mono_now() - last_->at) / std::chrono::milliseconds(1)));
  if (const auto metric = busiest(*last_, decider_->policy())) {
    out.set_load(metric->total / decider_->policy().target[static_cast<std::size_t>(metric->kind)]);
    out.set_target_utilisation(counts.ready > 0 ? out.load() / counts.ready : 0);
  }
  return out;
}

std::vector<v1::Drain> Scaler::drains() const {
  std::vector<v1::Drain> out;
  const auto tell = [&](const std::string& id, Duration left, const std::string& reason) {
    auto& one = out.emplace_back();
    one.set_module(pool_.module_name(id));
    one.set_deadline_ms(ms32(left));
    one.set_reason(reason);
  };
  for (const auto& [id, d] : pool_.drains()) tell(id, d.deadline - mono_now(), d.reason);
  for (const auto& [id, d] : restored_drains_) tell(id, d.deadline - wall_now(), "began before a restart");
  return out;
}

std::optional<v1::ScaleAction> Scaler::action() const {
  if (!running_) return std::nullopt;
  v1::ScaleAction out;
  out.set_id(running_->id);
  out.set_service(service());
  out.set_version(version());
  out.set_change(running_->change);
  out.set_state(running_->state);
  out.set_elapsed_ms(static_cast<std::uint64_t>((mono_now() - running_->since) / std::chrono::milliseconds(1)));
  out.set_deadline_ms(static_cast<std::uint64_t>((running_->deadline - running_->since) / std::chrono::milliseconds(1)));
  out.set_error(running_->error);
  return out;
}

v1::Forecast Scaler::forecast(Duration horizon) const {
  v1::Forecast out;
  out.set_service(service());
  out.set_lead_ms(ms32(decider_->startup()));
  const auto* predictive = decider_->predictive();
  if (predictive == nullptr || !last_) return out;
  const auto metric = busiest(*last_, decider_->policy());
  if (!metric) return out;
  const auto& forecast = predictive->forecast(metric->kind);
  const auto now = forecast.outlook().now;
  const auto point = [&](Duration at, const scale::Band& band) {
    auto& p = *out.add_points();
    p.set_at_ms(at / std::chrono::milliseconds(1));
    p.set_rate(band.rate);
    p.set_low(band.low);
    p.set_high(band.high);
  };
  point({}, {now, now, now});
  point(decider_->startup(), forecast.ahead());
  out.set_used(last_->winner == scale::Rule::forecast || last_->winner == scale::Rule::margin);
  out.set_error_percent(100 * forecast.mean_error());
  out.set_margin_percent(100 * forecast.margin());
  const auto step = std::max<Duration>(std::chrono::minutes(1), horizon / 60);
  for (Duration at = step; at <= horizon; at += step)
    if (const auto usual = forecast.usual_peak(wall_now() + at, std::chrono::minutes(1)); usual && at > decider_->startup()) point(at, forecast.usual(*usual));
  return out;
}

std::string Scaler::explanation() const {
  std::string text = name() + ", " + std::string(scale::to_string(decider_->policy().strategy)) + ", " + std::to_string(options_.policy.min) + " to " +
                     std::to_string(options_.policy.max) + " replicas, decided every " + format_duration(options_.interval) + "; a new replica serves after " +
                     format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(decider_->startup())) + "\n";
  text += last_ ? scale::explain(*last_) : std::string("nothing is decided yet: the target has not answered\n");
  for (std::size_t k = 0; k < scale::metric_kinds; ++k)
    if (!options_.required[k] && !measured_[k] && decider_->policy().target[k] == 0 && k > 0)
      text += "  " + std::string(scale::metric_names[k]) + " is left out: nobody has measured it, and the policy doesn't name it\n";
  for (const auto& [id, d] : pool_.drains())
    text += "draining " + id + " for " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(mono_now() - d.since)) + " at most until its deadline in " +
            format_duration(std::chrono::duration_cast<std::chrono::seconds>(std::max(Duration{}, Duration(d.deadline - mono_now())))) + ": " + d.reason + "\n";
  if (const auto wrong = alarm(); !wrong.empty()) text += "alarm: " + wrong + "\n";
  return text;
}

std::string Scaler::save_state() { return decider_->save({mono_now(), wall_now()}); }

std::string Scaler::save_manual() const {
  const auto wall = [](MonoTime at) { return at > mono_now() ? unix_ms(wall_now() + (at - mono_now())) : 0; };
  const auto until = [&](const std::optional<MonoTime>& at) { return at ? wall(*at) : 0; };
  return Json{{"pause_up", pause_up_}, {"pause_down", pause_down_}, {"frozen_until", until(frozen_until_)}, {"by_hand", by_hand_until_ ? by_hand_.value_or(0) : 0},
              {"by_hand_until", by_hand_ ? until(by_hand_until_) : 0}, {"hold", hold_}, {"hold_until", wall(hold_until_)}, {"measured", measured_}}.dump();
}

// A drain's value: its deadline in Unix milliseconds, and " named" when somebody named the module.
void Scaler::put_drain(store::Transaction& t, const std::string& id) const {
  const auto& drain = pool_.drains().at(id);
  auto value = std::to_string(unix_ms(wall_now() + (drain.deadline - mono_now())));
  if (drain.kind == scale::DrainKind::named) value += drain_named;
  t.then.push_back(store::put_of(drain_key(id), std::move(value)));
}

void Scaler::restore(const std::map<std::string, std::string>& entries) {
  const auto find = [&](const std::string& k) { const auto at = entries.find(k); return at == entries.end() ? std::string() : at->second; };
  const auto until = [](const Json& j, const char* k) -> std::optional<MonoTime> {
    const auto left = from_unix_ms(j.value(k, std::int64_t{0})) - wall_now();
    return left > Duration{} ? std::optional(mono_now() + left) : std::nullopt;
  };
  if (const auto json = Json::parse(find(key("manual")), nullptr, false); json.is_object()) {
    pause_up_ = json.value("pause_up", false);
    pause_down_ = json.value("pause_down", false);
    frozen_until_ = until(json, "frozen_until");
    by_hand_until_ = until(json, "by_hand_until");
    if (by_hand_until_) by_hand_ = json.value("by_hand", 0U);
    hold_ = json.value("hold", 0U);
    hold_until_ = until(json, "hold_until").value_or(MonoTime{});
    measured_ = json.value("measured", measured_);
    renew_decider();
  }
  if (const auto state = find(key("state")); !state.empty())
    if (const auto loaded = decider_->load(state, {mono_now(), wall_now()}); !loaded)
      daemon::log::warning("the saved state is not used", {{"service", name()}, {"reason", loaded.error().text}});
  if (const auto intent = find(key("intent")); !intent.empty()) resume_ = static_cast<std::uint32_t>(std::strtoul(intent.c_str(), nullptr, 10));
  const auto prefix = key("drain") + "/";
  for (auto at = entries.lower_bound(prefix); at != entries.end() && at->first.starts_with(prefix); ++at)
    restored_drains_[at->first.substr(prefix.size())] = {from_unix_ms(std::strtoll(at->second.c_str(), nullptr, 10)),
                                                         at->second.ends_with(drain_named) ? scale::DrainKind::named : scale::DrainKind::spare};
}

}  // namespace nlb::tool
