#include "tools/nlb-deploy/view.hpp"

#include <algorithm>
#include <cmath>

#include "libnlb/cli/table.hpp"
#include "libnlb/cli/text.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/rollout/plan.hpp"

namespace nlb::deploy {
namespace {

using cli::Tint;

double percent(std::uint32_t weight) { return 100.0 * weight / rollout::weight_max; }

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string span(std::uint64_t milliseconds) {   // whole seconds: "4m 10s"
  const auto seconds = milliseconds / 1000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m " + std::to_string(seconds % 60) + "s";
  return std::to_string(seconds / 3600) + "h " + std::to_string(seconds / 60 % 60) + "m";
}

std::string first_byte(std::uint64_t us) {
  if (us == 0) return "-";
  if (us < 10000) return number(static_cast<double>(us) / 1000, 1) + " ms";
  return std::to_string(us / 1000) + " ms";
}

Tint phase_tint(const std::string& phase) {
  if (phase == "promoted" || phase == "idle") return Tint::green;
  if (phase == "rolled_back" || phase == "rolling_back" || phase == "undecided" || phase == "frozen") return Tint::red;
  if (phase == "paused" || phase == "waiting_for_traffic") return Tint::yellow;
  return Tint::cyan;
}

std::string words(std::string phase) {
  std::replace(phase.begin(), phase.end(), '_', ' ');
  return phase;
}

std::string arrow(const v1::DeployStatus& status) {
  const auto& rollout = status.rollout();
  if (!status.has_rollout() || rollout.canary_version().empty()) return status.versions_size() > 0 ? status.versions(0).version() : "";
  return rollout.stable_version() + " → " + rollout.canary_version();
}

Tint version_tint(const v1::VersionStatus& version) {
  return version.colour() == "green" ? Tint::green : version.colour() == "blue" ? Tint::blue : Tint::none;
}

// Two bars a version, one below the other: what it should get, and what it got.
std::string share_bars(const v1::DeployStatus& status, std::size_t width, bool color) {
  std::size_t name_width = 0;
  std::vector<std::string> names;
  for (const auto& version : status.versions()) {
    names.push_back(cli::printable(version.version() + (version.colour().empty() ? "" : " " + version.colour())));
    name_width = std::min<std::size_t>(24, std::max(name_width, cli::display_width(names.back())));
  }
  const std::size_t left = name_width + 20, columns = std::clamp<std::size_t>(width > left + 12 ? width - left - 2 : 10, 10, 60);
  std::string text;
  for (int i = 0; i < status.versions_size(); ++i) {
    const auto& version = status.versions(i);
    const auto line = [&](const std::string& name, const char* what, double share, Tint tint) {
      const auto shown = cli::cut_to_width(name, name_width), figure = number(100 * share, share > 0 && share < 0.1 ? 2 : 1) + " %";
      text += shown + std::string(name_width - cli::display_width(shown), ' ') + "  " + cli::tinted(what, Tint::dim, color) +
              std::string(figure.size() < 8 ? 8 - figure.size() : 0, ' ') + figure + " " + cli::tinted(cli::bar(share, columns), tint, color) + "\n";
    };
    line(names[static_cast<std::size_t>(i)], "wanted  ", percent(version.weight_per_10000()) / 100, version_tint(version));
    if (status.forwarders_size() > 0) line("", "measured", version.measured_share(), Tint::dim);
  }
  return text;
}

std::string versions_table(const v1::DeployStatus& status, std::size_t width, bool color) {
  cli::Table table({{"VERSION", cli::Align::left, true}, {"REPLICAS", cli::Align::right}, {"SESSIONS", cli::Align::right}, {"NEW/S", cli::Align::right},
                    {"FAILED/S", cli::Align::right}, {"CLIENTS/S", cli::Align::right}, {"FIRST BYTE", cli::Align::right}, {"99 %", cli::Align::right}});
  for (const auto& version : status.versions()) {
    const auto failing = [](double rate) { return rate > 0 ? Tint::red : Tint::none; };
    table.add({{version.version(), version_tint(version)}, std::to_string(version.modules_routable()) + "/" + std::to_string(version.modules()),
               std::to_string(version.sessions_active()), number(version.attempts_per_second(), 1),
               {number(version.failures_per_second(), 1), failing(version.failures_per_second())},
               {number(version.failing_clients_per_second(), 1), failing(version.failing_clients_per_second())}, first_byte(version.first_byte_p50_us()),
               first_byte(version.first_byte_p99_us())});
  }
  return table.render(width > 2 ? width - 2 : width, color);
}

std::string steps_line(const v1::Rollout& rollout, bool color) {
  std::string text;
  const auto here = static_cast<int>(rollout.step_index());
  const bool done = rollout.state() == "promoted" || rollout.state() == "promoting" || rollout.state() == "idle";
  for (int i = 0; i < rollout.steps_per_10000_size(); ++i) {
    const auto name = rollout::format_percent(rollout.steps_per_10000(i));
    if (i > 0) text += "  ";
    if (done || i < here) text += cli::tinted(name + " ✓", Tint::green, color);
    else if (i == here && rollout.weight_per_10000() > 0) text += cli::tinted("▸" + name, Tint::bold, color);
    else text += cli::tinted(name, Tint::dim, color);
  }
  if (rollout.steps_per_10000_size() > 0 && rollout.steps_per_10000(rollout.steps_per_10000_size() - 1) < rollout::weight_max)
    text += "  " + (done ? cli::tinted("100 ✓", Tint::green, color) : cli::tinted("100", Tint::dim, color));
  return text + " %";
}

std::string sites_line(const v1::DeployStatus& status) {
  std::string text;
  for (const auto& site : status.split().sites())
    text += (text.empty() ? "" : "  ") + cli::printable(site.site()) + " " + rollout::format_percent(site.parts_size() > 1 ? site.parts(1).weight_per_10000() : 0) + " %";
  return text;
}

std::uint32_t next_weight(const v1::Rollout& rollout) {
  const auto next = static_cast<int>(rollout.step_index()) + 1;
  return next < rollout.steps_per_10000_size() ? rollout.steps_per_10000(next) : rollout::weight_max;
}

bool has_next(const v1::Rollout& rollout) {
  static constexpr std::string_view stepping[] = {"holding", "shifting", "baking", "waiting_for_traffic"};
  return std::find(std::begin(stepping), std::end(stepping), rollout.state()) != std::end(stepping);
}

std::string step_line(const v1::Rollout& rollout, bool color) {
  if (!has_next(rollout) || rollout.step_minimum_ms() == 0) return {};
  const auto left = rollout.step_minimum_ms() - std::min(rollout.step_minimum_ms(), rollout.step_elapsed_ms());
  const double share = static_cast<double>(rollout.step_elapsed_ms()) / static_cast<double>(rollout.step_minimum_ms());
  auto bar = cli::bar(std::min(1.0, share), 24);
  bar += std::string(24 - std::min<std::size_t>(24, cli::display_width(bar)), ' ');
  const auto when = left > 0 ? "in " + span(left) : std::string("as soon as nothing is in the way");
  return cli::tinted(bar, Tint::cyan, color) + "▏ " + span(rollout.step_elapsed_ms()) + " of " + span(rollout.step_minimum_ms()) + ", then " +
         rollout::format_percent(next_weight(rollout)) + " % " + when;
}

// How far the evidence is on its way to the alarm, on a logarithmic scale: nothing at 1 : 1, full at 1/alpha.
std::string evidence_table(const v1::Rollout& rollout, std::size_t width, bool color) {
  cli::Table table({{"SIGNAL"}, {"CANARY", cli::Align::right}, {"STABLE", cli::Align::right}, {"EVIDENCE", cli::Align::right}, {"TO THE ALARM"}});
  const auto counts = [](std::uint64_t bad, std::uint64_t all) {
    return std::to_string(bad) + " of " + std::to_string(all) + (all > 0 ? " (" + number(100 * static_cast<double>(bad) / static_cast<double>(all), 2) + " %)" : "");
  };
  for (const auto& evidence : rollout.evidence()) {
    if (evidence.canary_attempts() + evidence.stable_attempts() == 0) continue;
    const double way = evidence.e_value() > 1 && evidence.alpha() > 0 ? std::log(evidence.e_value()) / -std::log(evidence.alpha()) : 0;
    const auto tint = evidence.alarm() ? Tint::red : way > 0.3 ? Tint::yellow : Tint::green;
    char ratio[48];
    std::snprintf(ratio, sizeof ratio, "%.2g : 1 of %.0f", evidence.e_value(), evidence.alpha() > 0 ? 1 / evidence.alpha() : 0);
    table.add({words(evidence.metric()), counts(evidence.canary_bad(), evidence.canary_attempts()), counts(evidence.stable_bad(), evidence.stable_attempts()),
               {ratio, tint}, {cli::bar(std::clamp(way, 0.0, 1.0), 12), tint}});
  }
  return table.empty() ? std::string() : table.render(width > 2 ? width - 2 : width, color);
}

std::string exposure_of(const v1::Rollout& rollout) {
  std::string text;
  for (const auto& evidence : rollout.evidence()) {
    if (evidence.exposure_needed() == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(evidence.canary_attempts()) + " of " + std::to_string(evidence.exposure_needed()) + " canary attempts";
  }
  return text;
}

// Two halves of stable, judged like a canary all the time.
std::string self_test(const v1::DeployStatus& status) {
  const auto rate = status.aa_trials() == 0 ? std::string("the first trial runs") : number(100 * status.aa_alarm_rate(), 2) + " % false alarms in " + std::to_string(status.aa_trials()) + " trials";
  return rate + ", tolerated ratio " + number(status.aa_tolerated_ratio(), 2);
}

std::string indented(const std::string& text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const auto end = std::min(text.find('\n', from), text.size());
    out += "  " + text.substr(from, end - from) + "\n";
    from = end + 1;
  }
  return out;
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& all) {
  std::string text;
  for (const auto& each : all) text += (text.empty() ? "" : ", ") + each;
  return text;
}

}  // namespace

std::string draw(const v1::DeployStatus& status, std::size_t width, bool color) {
  const auto& rollout = status.rollout();
  const auto& phase = status.split().phase();
  std::string text = cli::tinted(cli::printable(status.service()), Tint::bold, color) + "  " + cli::printable(arrow(status)) + "  " +
                     cli::tinted(words(phase), phase_tint(phase), color) + "  revision " + std::to_string(status.revision());
  if (status.has_rollout() && !status.ended()) text += ", since " + span(rollout.elapsed_ms());
  text += "\n" + indented(share_bars(status, width, color)) + indented(versions_table(status, width, color));
  const auto row = [&](const char* name, const std::string& value, Tint tint = Tint::none) {
    if (!value.empty()) text += "  " + cli::tinted(name, Tint::dim, color) + cli::tinted(value, tint, color) + "\n";
  };
  if (status.has_rollout() && !rollout.canary_version().empty()) {
    row("steps      ", steps_line(rollout, color));
    row("sites      ", sites_line(status));
    row("next       ", step_line(rollout, color));
    if (!status.ended()) row("waits for  ", cli::printable(rollout.waiting_for()), Tint::yellow);
    if (!status.ended()) row("exposure   ", exposure_of(rollout));
    row("lagging    ", joined(rollout.forwarders_lagging()), Tint::red);
    row("because    ", cli::printable(rollout.reason()));
    text += indented(evidence_table(rollout, width, color));
  }
  if (status.aa_trials() > 0 || status.aa_running()) row("self-test  ", self_test(status));
  row("warning    ", cli::printable(status.warning()), Tint::red);
  row("legal now  ", joined(status.legal_verbs()));
  return text;
}

std::string one_line(const v1::DeployStatus& status) {
  const auto& rollout = status.rollout();
  auto text = status.service() + ": " + arrow(status) + ": " + words(status.split().phase());
  if (status.has_rollout() && !rollout.canary_version().empty())
    text += ", weight " + rollout::format_percent(rollout.weight_per_10000()) + " %, step " + std::to_string(rollout.step_index() + 1) + " of " +
            std::to_string(rollout.steps_per_10000_size());
  if (!status.ended() && !rollout.waiting_for().empty()) text += ", waits for " + rollout.waiting_for();
  if (!rollout.reason().empty()) text += ": " + rollout.reason();
  if (!status.warning().empty()) text += " (" + status.warning() + ")";
  return text;
}

cli::Json to_json(const v1::DeployStatus& status) {
  const auto& rollout = status.rollout();
  cli::Json json = {{"service", status.service()}, {"phase", status.split().phase()}, {"outcome", status.outcome()}, {"ended", status.ended()},
                    {"revision", status.revision()}, {"epoch", status.epoch()}, {"split_revision", status.split().revision()}, {"warning", status.warning()}};
  auto& versions = json["versions"] = cli::Json::array();
  for (const auto& version : status.versions())
    versions.push_back({{"version", version.version()}, {"colour", version.colour()}, {"weight_percent", percent(version.weight_per_10000())},
                        {"measured_percent", 100 * version.measured_share()}, {"modules", version.modules()}, {"modules_routable", version.modules_routable()},
                        {"sessions_active", version.sessions_active()}, {"attempts_per_second", version.attempts_per_second()},
                        {"failures_per_second", version.failures_per_second()}, {"failing_clients_per_second", version.failing_clients_per_second()},
                        {"first_byte_p50_us", version.first_byte_p50_us()}, {"first_byte_p99_us", version.first_byte_p99_us()}});
  json["self_test"] = {{"trials", status.aa_trials()}, {"false_alarm_percent", 100 * status.aa_alarm_rate()}, {"tolerated_ratio", status.aa_tolerated_ratio()},
                       {"running", status.aa_running()}};
  auto& legal = json["legal_verbs"] = cli::Json::array();
  for (const auto& verb : status.legal_verbs()) legal.push_back(verb);
  auto& forwarders = json["forwarders"] = cli::Json::array();
  for (const auto& applied : status.forwarders())
    forwarders.push_back({{"forwarder", applied.forwarder()}, {"split_revision", applied.split_revision()}, {"split_epoch", applied.split_epoch()}, {"refused", applied.refused()}});
  auto& sites = json["sites"] = cli::Json::array();
  for (const auto& site : status.split().sites())
    sites.push_back({{"site", site.site()}, {"canary_weight_percent", site.parts_size() > 1 ? percent(site.parts(1).weight_per_10000()) : 0}});
  if (!status.has_rollout()) return json;
  cli::Json made = {{"id", rollout.rollout_id()}, {"strategy", rollout.strategy()}, {"stable", rollout.stable_version()}, {"canary", rollout.canary_version()},
                    {"weight_percent", percent(rollout.weight_per_10000())}, {"measured_percent", 100 * rollout.measured_share()}, {"step", rollout.step_index() + 1},
                    {"step_elapsed_seconds", static_cast<double>(rollout.step_elapsed_ms()) / 1000},
                    {"step_minimum_seconds", static_cast<double>(rollout.step_minimum_ms()) / 1000},
                    {"next_weight_percent", percent(next_weight(rollout))}, {"waiting_for", rollout.waiting_for()}, {"reason", rollout.reason()},
                    {"elapsed_seconds", static_cast<double>(rollout.elapsed_ms()) / 1000}};
  auto& lagging = made["forwarders_lagging"] = cli::Json::array();
  for (const auto& name : rollout.forwarders_lagging()) lagging.push_back(name);
  auto& steps = made["steps_percent"] = cli::Json::array();
  for (const auto step : rollout.steps_per_10000()) steps.push_back(percent(step));
  auto& evidence = made["evidence"] = cli::Json::array();
  for (const auto& each : rollout.evidence())
    evidence.push_back({{"signal", each.metric()}, {"evidence", each.e_value()}, {"alarm_at", each.alpha() > 0 ? std::round(1 / each.alpha()) : 0}, {"alarm", each.alarm()},
                        {"canary_attempts", each.canary_attempts()}, {"canary_bad", each.canary_bad()}, {"stable_attempts", each.stable_attempts()},
                        {"stable_bad", each.stable_bad()}, {"canary_bad_raw", each.canary_bad_raw()}, {"stable_bad_raw", each.stable_bad_raw()},
                        {"canary_replicas_bad", each.canary_replicas_bad()}});
  json["rollout"] = std::move(made);
  return json;
}

}  // namespace nlb::deploy
