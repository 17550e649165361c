#include "tools/nlb-scale/view.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/cli/plot.hpp"
#include "libnlb/cli/table.hpp"
#include "libnlb/core/time.hpp"
#include "tools/nlb-scale/client.hpp"

namespace nlb::tool {
namespace {

using cli::Json;
using cli::Tint;

constexpr std::size_t curve_columns = 24, bar_columns = 20;

std::string number(double value, const char* pattern = "%.4g") {
  char text[32];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string line(const Json& object) { return cli::json_line(object) + "\n"; }

Json json_of(const v1::Replicas& r) {
  return {{"service", r.service()}, {"version", r.version()}, {"wanted", r.wanted()}, {"actual", r.actual()}, {"ready", r.ready()}, {"min", r.min()},
          {"max", r.max()}, {"load_replicas", r.load()}, {"utilisation", r.target_utilisation()}, {"decision", r.decision()}, {"rule", r.rule()},
          {"reason", r.reason()}, {"decided_ago_ms", r.decided_ago_ms()}, {"paused_up", r.paused_up()}, {"paused_down", r.paused_down()}, {"alarm", r.alarm()}};
}

Json drains_of(const v1::ScaleStatus& status, const std::string& service) {
  auto list = Json::array();
  for (const auto& drains : status.drains())
    if (drains.service() == service)
      for (const auto& d : drains.drains()) list.push_back({{"module", d.module()}, {"deadline_ms", d.deadline_ms()}, {"reason", d.reason()}});
  return list;
}

std::string status_lines(const v1::ScaleStatus& status) {
  std::string out;
  for (const auto& r : status.replicas()) {
    auto object = json_of(r);
    object["drains"] = drains_of(status, r.service());
    object["revision"] = status.revision();
    out += line(object);
  }
  return out;
}

Tint tint_of(const v1::Replicas& r) { return !r.alarm().empty() ? Tint::red : r.ready() < r.wanted() ? Tint::yellow : Tint::green; }

std::string state_of(const v1::Replicas& r) {
  if (!r.alarm().empty()) return "alarm: " + r.alarm();
  const auto paused = r.paused_up() && r.paused_down() ? "paused; " : r.paused_up() ? "paused up; " : r.paused_down() ? "paused down; " : "";
  return paused + r.reason();
}

std::string drains_text(const v1::ScaleStatus& status) {
  std::string out;
  for (const auto& drains : status.drains())
    for (const auto& d : drains.drains())
      out += "draining " + drains.service() + " " + d.module() + ", at most " + number(d.deadline_ms() / 1000.0, "%.0f") + " s more: " + d.reason() + "\n";
  for (const auto& a : status.actions())
    out += a.service() + "/" + a.version() + " " + (a.change() > 0 ? "+" : "") + std::to_string(a.change()) + " " + a.state() + (a.error().empty() ? "" : ": " + a.error()) + "\n";
  if (!status.warning().empty()) out += "warning: " + status.warning() + "\n";
  return out;
}

}  // namespace

std::string status_text(const v1::ScaleStatus& status, bool lines, bool color) {
  if (lines) return status_lines(status);
  cli::Table table({{"SERVICE"}, {"VERSION"}, {"WANTED", cli::Align::right}, {"RUNNING", cli::Align::right}, {"READY", cli::Align::right}, {"MIN", cli::Align::right},
                    {"MAX", cli::Align::right}, {"LOAD", cli::Align::right}, {"RULE"}, {"WHY", cli::Align::left, true}});
  for (const auto& r : status.replicas())
    table.add({r.service(), r.version(), std::to_string(r.wanted()), std::to_string(r.actual()), {std::to_string(r.ready()), tint_of(r)}, std::to_string(r.min()),
               std::to_string(r.max()), number(r.load(), "%.2f"), r.rule(), state_of(r)});
  return (table.empty() ? "nothing is scaled: name a policy under scale.policies\n" : table.render(cli::terminal_width(1, 0), color)) + drains_text(status);
}

std::string policies_text(const v1::GetPolicyReply& reply, bool lines, bool color) {
  std::string out;
  cli::Table table({{"SERVICE"}, {"VERSION"}, {"MIN", cli::Align::right}, {"MAX", cli::Align::right}, {"STRATEGY"}, {"CPU", cli::Align::right}, {"MEMORY", cli::Align::right},
                    {"CONNECTIONS", cli::Align::right}, {"RATE", cli::Align::right}, {"UP"}, {"DOWN"}, {"TARGET"}});
  const auto target = [](double v) { return v > 0 ? number(v) : std::string("-"); };
  const auto span = [](std::uint32_t ms) { return format_duration(std::chrono::milliseconds(ms)); };
  for (const auto& p : reply.policies()) {
    if (lines)
      out += line({{"service", p.service()}, {"version", p.version()}, {"min", p.min()}, {"max", p.max()}, {"strategy", p.strategy()}, {"cpu_percent", p.cpu_percent()},
                   {"memory_percent", p.memory_percent()}, {"connections", p.connections()}, {"rate", p.rate()}, {"periods", p.periods()}, {"up_percent", p.up_percent()}, {"down_percent", p.down_percent()}, {"up_cooldown_ms", p.up_cooldown_ms()},
                   {"up_step_max", p.up_step_max()}, {"down_cooldown_ms", p.down_cooldown_ms()}, {"down_step_max", p.down_step_max()}, {"interval_ms", p.interval_ms()},
                   {"target", p.target()}});
    else
      table.add({p.service(), p.version().empty() ? "each" : p.version(), std::to_string(p.min()), std::to_string(p.max()), p.strategy(), target(p.cpu_percent()),
                 target(p.memory_percent()), target(p.connections()), target(p.rate()), span(p.up_cooldown_ms()), span(p.down_cooldown_ms()), p.target()});
  }
  return lines ? out : table.render(cli::terminal_width(1, 0), color);
}

std::string history_text(const v1::ScaleHistoryReply& reply, bool lines, bool color) {
  std::string out;
  cli::Table table({{"TIME"}, {"SERVICE"}, {"WHAT"}, {"WHO"}, {"WHY", cli::Align::left, true}});
  for (const auto& e : reply.entries()) {
    const auto time = format_rfc3339(WallTime(std::chrono::milliseconds(e.at_unix_ms())), 0);
    if (lines)
      out += line({{"time", time}, {"revision", e.revision()}, {"verb", e.verb()}, {"service", e.service()}, {"text", e.text()}, {"actor", e.actor()},
                   {"request_id", e.request_id()}, {"id", e.id()}});
    else
      table.add({time, e.service(), e.verb(), e.actor(), e.text()});
  }
  return lines ? out : table.render(cli::terminal_width(1, 0), color);
}

std::string explanation_text(const v1::ExplainScaleReply& reply, bool lines) {
  if (!lines) return reply.text();
  auto opinions = Json::array();
  for (const auto& o : reply.opinions())
    opinions.push_back({{"rule", o.rule()}, {"wanted", o.wanted()}, {"won", o.won()}, {"why", o.why()}, {"otherwise", o.otherwise()}});
  return line({{"text", reply.text()}, {"opinions", opinions}});
}

std::string forecast_text(const v1::Forecast& f, bool lines, bool color) {
  if (lines) {
    std::string out;
    for (const auto& p : f.points()) out += line({{"service", f.service()}, {"at_ms", p.at_ms()}, {"rate", p.rate()}, {"low", p.low()}, {"high", p.high()},
                                                {"error_percent", f.error_percent()}, {"margin_percent", f.margin_percent()}});
    return out;
  }
  if (f.points_size() < 2) return f.service() + ": no forecast: the strategy makes none, or nothing is measured yet\n";
  std::vector<double> rate, high;
  const auto last = f.points(f.points_size() - 1).at_ms();
  int at = 0;
  for (std::int64_t t = 0; t <= 60; ++t) {                 // points aren't evenly spaced: each holds until the next
    while (at + 1 < f.points_size() && f.points(at + 1).at_ms() <= last * t / 60) ++at;
    rate.push_back(f.points(at).rate());
    high.push_back(f.points(at).high());
  }
  const std::vector<cli::Series> series = {{"with its margin", high, Tint::dim, false, true}, {"expected", rate, Tint::cyan, true, true}};
  cli::PlotOptions options;
  options.width = cli::terminal_width(1, 80);
  options.color = color;
  options.left = "now";
  options.right = "+" + format_duration(std::chrono::milliseconds(last));
  return cli::plot(series, options) + f.service() + ": a replica ordered now serves in " + format_duration(std::chrono::milliseconds(f.lead_ms())) + "; margin " +
         number(f.margin_percent(), "%+.0f") + " percent, past forecasts were off by " + number(f.error_percent(), "%.0f") + " percent" + (f.used() ? "; the forecast decides now\n" : "\n");
}

void StatusView::remember(const v1::Replicas& r) {
  auto& loads = loads_[r.service() + "/" + r.version()];
  loads.push_back(r.load());
  if (loads.size() > curve_columns) loads.erase(loads.begin());
}

std::string StatusView::row(const v1::Replicas& r) {
  const auto name = r.service() + "/" + r.version();
  const auto most = std::max<double>({1.0, static_cast<double>(r.max())});
  const auto ready = cli::bar(r.ready() / most, bar_columns), wanted = cli::bar(r.wanted() / most, bar_columns);
  std::string out = cli::tinted(name, Tint::bold, color_) + "\n";
  out += "  ready  " + cli::tinted(ready, tint_of(r), color_) + " " + std::to_string(r.ready()) + "\n";
  out += "  wanted " + wanted + " " + std::to_string(r.wanted()) + " of " + std::to_string(r.min()) + " to " + std::to_string(r.max()) + "\n";
  out += "  load   " + cli::sparkline(loads_[name]) + cli::tinted(cli::sparkline(ahead_[r.service()], curve_columns / 2), Tint::dim, color_) + " " + number(r.load(), "%.2f") + "\n";
  return out + "  " + r.rule() + ": " + state_of(r) + "\n";
}

bool StatusView::show(const v1::ScaleStatus& status, Client* client) {
  if (lines_) {
    std::cout << status_lines(status) << std::flush;
    return std::cout.good();
  }
  if (!view_) view_.emplace();
  std::string text;
  std::string asked;
  for (const auto& r : status.replicas()) {
    remember(r);
    if (client != nullptr && view_->in_place() && r.service() != asked) {
      asked = r.service();
      v1::GetForecastRequest request;
      request.set_service(asked);
      request.set_horizon_ms(3'600'000);
      auto& ahead = ahead_[asked];
      ahead.clear();
      if (const auto f = client->ask(&v1::ScaleService::Stub::GetForecast, request))
        for (const auto& p : f->points()) ahead.push_back(p.rate());
    }
    text += row(r);
  }
  view_->draw(text + drains_text(status));
  return true;
}

}  // namespace nlb::tool
