#include "simulate.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "chart.hpp"
#include "jobs.hpp"
#include "libnlb/scale/synthetic.hpp"

namespace nlb::tool {
namespace {

using OrderedJson = nlohmann::ordered_json;
constexpr std::size_t sweep_max = 1000;

Result<double> number(std::string_view text, std::string_view what) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return fail(ErrorKind::usage, std::string(what) + " '" + std::string(text) + "': not a number");
  return value;
}

Result<std::vector<double>> targets_of(const SimulateOptions& options) {
  if (options.sweep.empty()) return std::vector<double>{options.target};
  std::vector<double> parts;
  std::stringstream text(options.sweep);
  for (std::string part; std::getline(text, part, ':');) {
    const auto value = number(part, "--sweep");
    if (!value) return tl::unexpected<Error>(value.error());
    parts.push_back(*value);
  }
  if (parts.size() != 3 || parts[0] <= 0 || parts[1] < parts[0] || parts[2] <= 0)
    return fail(ErrorKind::usage, "--sweep '" + options.sweep + "': expected FROM:TO:STEP with 0 < FROM <= TO and STEP > 0, such as 0.2:0.95:0.025");
  const auto count = static_cast<std::size_t>(std::floor((parts[1] - parts[0]) / parts[2] + 1e-9)) + 1;
  if (count > sweep_max) return fail(ErrorKind::usage, "--sweep '" + options.sweep + "': more than 1000 targets: use a larger step");
  std::vector<double> targets;
  for (std::size_t i = 0; i < count; ++i) targets.push_back(std::round((parts[0] + static_cast<double>(i) * parts[2]) * 1e9) / 1e9);
  return targets;
}

Result<scale::Points> read_points(const std::string& name) {
  constexpr std::string_view prefix = "synthetic:";
  if (name.starts_with(prefix)) return scale::synthetic_trace(std::string_view(name).substr(prefix.size()));
  std::string text;
  if (name == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream file(name, std::ios::binary);
    if (!file) return fail(ErrorKind::unavailable, "trace " + name + ": can't be read: check the path");
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  auto points = scale::parse_trace(text);
  if (!points) return fail(points.error().kind, name + ": " + points.error().text);
  return points;
}

Result<LoadedTrace> load_trace(const std::string& name, const SimulateOptions& options) {
  const auto points = read_points(name);
  if (!points) return tl::unexpected<Error>(points.error());
  const auto capacity = options.capacity == "auto" ? scale::automatic_capacity(*points, 30, options.speed) : number(options.capacity, "--capacity");
  if (!capacity) return tl::unexpected<Error>(capacity.error());
  const auto trace = scale::Trace::sample(*points, *capacity, options.speed);
  if (!trace) return fail(trace.error().kind, name + ": " + trace.error().text);
  return LoadedTrace{name, options.arrivals > 0 ? trace->with_arrivals(options.arrivals, options.seed) : *trace};
}

Result<std::vector<scale::Strategy>> strategies_of(const SimulateOptions& options) {
  std::vector<scale::Strategy> strategies;
  for (const auto& name : options.strategies) {
    const auto found = std::find(scale::strategy_names.begin(), scale::strategy_names.end(), name);
    if (found == scale::strategy_names.end())
      return fail(ErrorKind::usage, "--strategy '" + name + "': unknown: use threshold, hpa or predictive");
    strategies.push_back(static_cast<scale::Strategy>(found - scale::strategy_names.begin()));
  }
  if (strategies.empty()) strategies.push_back(scale::Strategy::predictive);
  return strategies;
}

// Each strategy at the pace it is meant for; the external metric of HPA is a rate over 30 s.
struct Pace { Duration interval; std::int64_t rate_window_seconds; };
Pace pace_of(scale::Strategy strategy) {
  switch (strategy) {
    case scale::Strategy::threshold: return {30s, 30};
    case scale::Strategy::hpa: return {15s, 30};
    case scale::Strategy::predictive: return {5s, 5};
  }
  return {30s, 30};
}

Result<Job> make_job(const LoadedTrace& trace, scale::Strategy strategy, double target, const SimulateOptions& options) {
  const auto startup = parse_duration(options.startup);
  if (!startup) return tl::unexpected<Error>(startup.error());
  auto pace = pace_of(strategy);
  if (!options.interval.empty()) {
    const auto interval = parse_duration(options.interval);
    if (!interval) return tl::unexpected<Error>(interval.error());
    pace = {*interval, std::max<std::int64_t>(*interval / 1s, strategy == scale::Strategy::predictive ? 1 : 30)};
  }
  Job job{&trace, {}, {}, target};
  job.policy.strategy = strategy;
  job.policy.limits = {options.min, options.max};
  job.policy.target = {target * trace.trace.capacity(), 0, 0, 0};
  job.policy.interval = pace.interval;
  job.policy.predictive.startup = *startup;
  job.policy.predictive.capacity_share = target;
  job.plant.startup_seconds = *startup / 1s;
  job.plant.rate_window_seconds = pace.rate_window_seconds;
  auto policy = scale::checked(job.policy);
  if (!policy) return fail(ErrorKind::usage, policy.error().text);
  return job;
}

OrderedJson summary(const Job& job, const scale::Score& s) {
  return {{"trace", job.trace->name}, {"strategy", scale::to_string(job.policy.strategy)}, {"target", job.target},
          {"cost", s.cost}, {"slo_percent", s.slo_percent}, {"over_percent", s.over_percent}, {"shed_ppm", s.shed_ppm},
          {"flaps_per_day", s.flaps_per_day}, {"actions_per_day", s.actions_per_day},
          {"under_accuracy_percent", s.under_accuracy}, {"over_accuracy_percent", s.over_accuracy},
          {"under_time_percent", s.under_time}, {"over_time_percent", s.over_time}, {"instability_percent", s.instability},
          {"replica_hours", s.replica_hours}, {"ideal_replica_hours", s.ideal_hours}, {"days", s.days},
          {"startup_seconds", job.plant.startup_seconds}, {"min", job.policy.limits.min}, {"max", job.policy.limits.max},
          {"capacity", job.trace->trace.capacity()}};
}

void print_steps(const Job& job, const std::vector<scale::Step>& steps) {
  const auto strategy = scale::to_string(job.policy.strategy);
  for (const auto& step : steps)
    std::cout << OrderedJson{{"t", step.t}, {"ordered", step.ordered}, {"ready", step.ready}, {"strategy", strategy}, {"target", job.target}, {"trace", job.trace->name}} << "\n";
}

void print_row(const Job& job, const scale::Score& s, bool best) {
  std::printf("%-28.28s %-10s %6.3f %8.3f %8.3f %8.3f %10.1f %8.1f %9.1f%s\n", job.trace->name.c_str(),
              std::string(scale::to_string(job.policy.strategy)).c_str(), job.target, s.cost, s.slo_percent, s.over_percent, s.shed_ppm,
              s.flaps_per_day, s.actions_per_day, best ? "  <- cheapest within the slo" : "");
}

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 30 ? size.ws_col - 1U : 100U;
}

Result<> draw(const Job& job, const Outcome& outcome, const SimulateOptions& options, bool color) {
  const double days = static_cast<double>(job.trace->trace.seconds()) / 86400;
  if (options.plot) std::cerr << text_chart(sampled(job.trace->trace, outcome.steps, 2 * terminal_columns()), terminal_columns(), days, color);
  if (options.svg.empty()) return {};
  std::ofstream file(options.svg);
  file << svg_chart(sampled(job.trace->trace, outcome.steps, 1100),
                    job.trace->name + ", " + std::string(scale::to_string(job.policy.strategy)) + ", target " + std::to_string(job.target), days);
  file.close();
  if (!file) return fail(ErrorKind::unavailable, "--svg " + options.svg + ": can't be written: check the path and the space");
  return {};
}

Result<cli::ExitCode> explain_at(const Job& job, const std::string& when, cli::Output output) {
  const auto at = parse_duration(when);
  if (!at) return tl::unexpected<Error>(at.error());
  const auto t = *at / 1s;
  scale::Decision last;
  std::int64_t last_t = -1;
  scale::run_plant(job.trace->trace, job.policy, job.plant, [&](std::int64_t now, const scale::Decision& decision) {
    if (now > t) return false;
    last = decision;
    last_t = now;
    return true;
  });
  if (last_t < 0) return fail(ErrorKind::not_found, "--explain " + when + ": no decision until then");
  if (output == cli::Output::ndjson) {
    OrderedJson rules = OrderedJson::array();
    for (std::size_t i = 0; i < last.opinion_count; ++i)
      rules.push_back({{"rule", scale::to_string(last.opinions[i].rule)}, {"wanted", last.opinions[i].wanted}, {"value", last.opinions[i].value}});
    std::cout << OrderedJson{{"t", last_t}, {"ordered", last.current}, {"ready", last.ready}, {"wanted", last.wanted}, {"winner", scale::to_string(last.winner)},
                      {"without_winner", last.counterfactual()}, {"rules", rules}} << "\n";
  } else {
    std::cout << "t " << last_t << "  " << scale::explain(last);
  }
  return cli::ExitCode::done;
}

}  // namespace

CLI::App* add_simulate(CLI::App& app, cli::Common& common, SimulateOptions& o) {
  auto* verb = app.add_subcommand("simulate", "try strategies on a recorded load: cost, violations, flaps");
  verb->add_option("--trace", o.traces, "CSV of seconds,rate; - is stdin; synthetic:NAME for flat, diurnal, step, spike, ramp or walk")->option_text("FILE ...")->required();
  verb->add_option("--strategy", o.strategies, "threshold, hpa or predictive; several, separated by commas (default: predictive)")->delimiter(',')->option_text("NAME,...");
  verb->add_option("--startup", o.startup, "time from order to serving (default: 30s)")->option_text("DURATION");
  verb->add_option("--min", o.min, "fewest replicas (default: 2)")->option_text("N");
  verb->add_option("--max", o.max, "most replicas (default: 200)")->option_text("N");
  verb->add_option("--capacity", o.capacity, "rate that one replica carries at 100 %; auto: the busiest minutes (99.9 %) need 30 replicas (default)")->option_text("RATE");
  verb->add_option("--target", o.target, "wanted utilisation of a replica (default: 0.7)")->check(CLI::Range(0.01, 1.0))->option_text("SHARE");
  verb->add_option("--sweep", o.sweep, "try every target of FROM:TO:STEP and mark the cheapest within --slo")->option_text("FROM:TO:STEP");
  verb->add_option("--slo", o.slo_percent_max, "percent of 5 s slots that may be above 90 % of the ready capacity (default: 0.1)")->option_text("PERCENT");
  verb->add_option("--interval", o.interval, "time between decisions (default: 5s predictive, 15s hpa, 30s threshold)")->option_text("DURATION");
  verb->add_option("--speed", o.speed, "run the recording this many times faster (default: 1)")->check(CLI::PositiveNumber)->option_text("X");
  verb->add_option("--arrivals", o.arrivals, "let requests arrive by chance, one replica carrying this many a second; 0: as recorded (default)")->check(CLI::NonNegativeNumber)->option_text("RATE");
  verb->add_option("--seed", o.seed, "seed of --arrivals (default: 1)")->option_text("N");
  verb->add_flag("--steps", o.steps, "print every change as well (t, ordered, ready)");
  verb->add_flag("--plot", o.plot, "draw the run (of a sweep: the cheapest) on stderr");
  verb->add_option("--svg", o.svg, "draw the run into this file")->option_text("FILE");
  verb->add_option("--explain", o.explain, "print the decision in force at this time instead of scores")->option_text("DURATION");
  cli::add_output_option(*verb, common);
  return verb;
}

Result<cli::ExitCode> run_simulate(const cli::Common& common, const SimulateOptions& options) {
  const auto targets = targets_of(options);
  if (!targets) return tl::unexpected<Error>(targets.error());
  const auto strategies = strategies_of(options);
  if (!strategies) return tl::unexpected<Error>(strategies.error());
  std::vector<LoadedTrace> traces;
  for (const auto& name : options.traces) {
    auto trace = load_trace(name, options);
    if (!trace) return tl::unexpected<Error>(trace.error());
    traces.push_back(std::move(*trace));
  }
  std::vector<Job> jobs;
  for (const auto& trace : traces)
    for (auto strategy : *strategies)
      for (double target : *targets) {
        auto job = make_job(trace, strategy, target, options);
        if (!job) return tl::unexpected<Error>(job.error());
        jobs.push_back(std::move(*job));
      }
  const auto output = cli::effective_output(common);
  if (!options.explain.empty()) return explain_at(jobs.front(), options.explain, output);

  const auto outcomes = run_jobs(jobs, options.steps || options.plot || !options.svg.empty());
  if (output == cli::Output::table)
    std::printf("%-28s %-10s %6s %8s %8s %8s %10s %8s %9s\n", "trace", "strategy", "target", "cost", "slo %", "over %", "shed ppm", "flaps/d", "actions/d");
  for (std::size_t first = 0; first < jobs.size(); first += targets->size()) {
    const auto last = first + targets->size();
    const auto best = cheapest(outcomes, first, last, options.slo_percent_max);
    for (auto i = first; i < last; ++i) {
      if (options.steps) print_steps(jobs[i], outcomes[i].steps);
      auto object = summary(jobs[i], outcomes[i].score);
      object["cheapest"] = i == best;
      if (output == cli::Output::table) print_row(jobs[i], outcomes[i].score, targets->size() > 1 && i == best);
      else std::cout << object << std::endl;
    }
    const auto shown = best == last ? last - 1 : best;
    if (const auto drawn = draw(jobs[shown], outcomes[shown], options, cli::use_color(common, STDERR_FILENO)); !drawn) return tl::unexpected<Error>(drawn.error());
  }
  std::fflush(stdout);
  return cli::ExitCode::done;   // also when no target keeps the slo: the scores are the answer
}

}  // namespace nlb::tool
