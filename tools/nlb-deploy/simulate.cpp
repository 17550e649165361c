#include "tools/nlb-deploy/simulate.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "libnlb/rollout/simulate.hpp"

namespace nlb::deploy {
namespace {

using namespace rollout;
using nlohmann::ordered_json;

struct Options {
  double rate = 500, base = 0.001, alpha = 0.01, tolerated_ratio = 1.25, delta = 0.005;
  std::string effect = "none", steps, every = "2m", deadline = "1h", first_contact = "3s", counters;
  double step = 0;
  Incident incident = Incident::none;
  CountBy count_by = CountBy::clients;
  std::uint32_t burst = 1;
  std::uint64_t runs = 1000, seed = 1;
};

Result<std::vector<Step>> steps_of(const Options& options) {
  const auto every = parse_duration(options.every);
  if (!every) return tl::unexpected(every.error());
  if (options.step > 0) return even_steps(options.step, *every);
  return options.steps.empty() ? default_ladder() : parse_steps(options.steps, *every);
}

Result<Plan> plan_of(const Options& options) {
  Plan plan;
  plan.stable = "stable";
  plan.candidate = "canary";
  auto steps = steps_of(options);
  if (!steps) return tl::unexpected(steps.error());
  plan.steps = std::move(*steps);
  const auto deadline = parse_duration(options.deadline), first_contact = parse_duration(options.first_contact);
  if (!deadline) return tl::unexpected(deadline.error());
  if (!first_contact) return tl::unexpected(first_contact.error());
  plan.deadline = *deadline;
  plan.first_contact = *first_contact;
  plan.judge.alpha = options.alpha;
  plan.judge.tolerated_ratio = options.tolerated_ratio;
  plan.judge.delta = options.delta;
  if (auto good = check(plan); !good) return tl::unexpected(good.error());
  return plan;
}

Result<Scenario> scenario_of(const Options& options, const Plan& plan) {
  const auto effect = parse_effect(options.effect);
  if (!effect) return tl::unexpected(effect.error());
  return Scenario{options.rate, options.base, *effect, options.incident, options.burst, options.count_by, to_seconds(ladder_time(plan.steps))};
}

// Each run has its own seed, and its own place in the result: the same on any number of threads.
std::vector<SimulatedRun> simulate_all(const Options& options, const Scenario& scenario, const Plan& plan) {
  std::vector<SimulatedRun> runs(options.runs);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (auto i = next++; i < runs.size(); i = next++) {
      auto state = options.seed;
      runs[i] = simulate(scenario, plan, splitmix64(state) + i);
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return runs;
}

Result<Counts> parse_counts(const std::string& line, std::size_t number) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  Counts counts;
  const auto read = [&](const char* key, std::uint64_t& into) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_unsigned()) return false;
    into = json[key].get<std::uint64_t>();
    return true;
  };
  const bool complete = read("canary_attempts", counts.canary_attempts) && read("canary_failures", counts.canary_bad) &&
                        read("stable_attempts", counts.stable_attempts) && read("stable_failures", counts.stable_bad);
  if (complete && counts.canary_bad <= counts.canary_attempts && counts.stable_bad <= counts.stable_attempts) return counts;
  return fail(ErrorKind::bad_input, "counters can't be read: line " + std::to_string(number) +
                                        " isn't one second: write {\"canary_attempts\":5,\"canary_failures\":0,\"stable_attempts\":495,\"stable_failures\":1}");
}

Result<std::vector<Counts>> read_counts(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path);
  auto& input = path == "-" ? std::cin : file;
  if (!input) return fail(ErrorKind::unavailable, "counters can't be read: " + path + " can't be opened: check the path");
  std::vector<Counts> seconds;
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    if (line.empty()) continue;
    const auto counts = parse_counts(line, number);
    if (!counts) return tl::unexpected(counts.error());
    seconds.push_back(*counts);
  }
  return seconds;
}

struct Summary {
  std::uint64_t promoted = 0, rolled_back = 0, undecided = 0;
  double seconds_median = 0, canary_failures_mean = 0;   // time: of the rolled back
};

Summary summarise(const std::vector<SimulatedRun>& runs) {
  Summary summary;
  std::vector<double> seconds;
  for (const auto& run : runs) {
    summary.promoted += run.outcome == Outcome::promoted;
    summary.rolled_back += run.outcome == Outcome::rolled_back;
    summary.undecided += run.outcome == Outcome::undecided;
    summary.canary_failures_mean += static_cast<double>(run.canary_failures) / static_cast<double>(runs.size());
    if (run.outcome == Outcome::rolled_back) seconds.push_back(static_cast<double>(run.seconds));
  }
  std::sort(seconds.begin(), seconds.end());
  const auto n = seconds.size();
  if (n > 0) summary.seconds_median = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2;
  return summary;
}

double share(std::uint64_t part, std::size_t whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

void print_ndjson(const std::vector<SimulatedRun>& runs, const Plan& plan) {
  for (std::size_t i = 0; i < runs.size(); ++i)
    std::cout << ordered_json{{"run", i + 1}, {"outcome", to_string(runs[i].outcome)}, {"seconds", runs[i].seconds},
                              {"canary_failures", runs[i].canary_failures}, {"canary_attempts", runs[i].canary_attempts}} << "\n";
  const auto summary = summarise(runs);
  ordered_json line{{"summary", true}, {"runs", runs.size()}, {"promoted", summary.promoted}, {"rolled_back", summary.rolled_back},
                    {"undecided", summary.undecided}, {"rolled_back_share", share(summary.rolled_back, runs.size())},
                    {"rolled_back_seconds_median", nullptr}, {"canary_failures_mean", summary.canary_failures_mean},
                    {"alpha", plan.judge.alpha}, {"tolerated_ratio", plan.judge.tolerated_ratio}, {"steps", format_steps(plan.steps)}};
  if (summary.rolled_back > 0) line["rolled_back_seconds_median"] = summary.seconds_median;
  std::cout << line << "\n";
}

void print_table(const std::vector<SimulatedRun>& runs, const Plan& plan) {
  const auto summary = summarise(runs);
  std::printf("%zu runs, steps %s, alpha %g, tolerated ratio %g\n", runs.size(), format_steps(plan.steps).c_str(), plan.judge.alpha, plan.judge.tolerated_ratio);
  std::printf("  promoted     %6.2f %%\n", 100 * share(summary.promoted, runs.size()));
  std::printf("  rolled back  %6.2f %%   after %g s (median)\n", 100 * share(summary.rolled_back, runs.size()), summary.seconds_median);
  std::printf("  undecided    %6.2f %%\n", 100 * share(summary.undecided, runs.size()));
  std::printf("  canary failures %.2f a run (mean)\n", summary.canary_failures_mean);
  std::fflush(stdout);
}

Result<cli::ExitCode> simulate_verb(const Options& options, const cli::Common& common) {
  const auto plan = plan_of(options);
  if (!plan) return tl::unexpected(plan.error());
  std::vector<SimulatedRun> runs;
  if (options.counters.empty()) {
    const auto scenario = scenario_of(options, *plan);
    if (!scenario) return tl::unexpected(scenario.error());
    runs = simulate_all(options, *scenario, *plan);
  } else {
    const auto seconds = read_counts(options.counters);
    if (!seconds) return tl::unexpected(seconds.error());
    runs = {replay(*seconds, *plan)};
  }
  (cli::effective_output(common) == cli::Output::ndjson ? print_ndjson : print_table)(runs, *plan);
  return cli::ExitCode::done;
}

void add_load_options(CLI::App& verb, Options& options) {
  static const std::map<std::string, Incident> incidents = {{"none", Incident::none}, {"shared", Incident::shared}, {"drift", Incident::drift}, {"both", Incident::both}};
  static const std::map<std::string, CountBy> counts = {{"clients", CountBy::clients}, {"raw", CountBy::raw}};
  verb.add_option("--rate", options.rate, "attempts a second, both versions together")->check(CLI::Range(0.001, 1e6))->capture_default_str();
  verb.add_option("--base", options.base, "stable's failure rate")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  verb.add_option("--effect", options.effect, "what is wrong with the canary: none, x5 (times base) or +0.05 (added)")->capture_default_str();
  cli::add_choice(verb, "--incident", options.incident, incidents, "shared: 3 minutes at 30 times base for both; drift: base swings by 3 in 10 minutes; both: one on top of the other");
  verb.add_option("--burst", options.burst, "failures per broken client, one a second")->check(CLI::Range(1, 1000))->capture_default_str();
  cli::add_choice(verb, "--count", options.count_by, counts, "what the judge counts: failing clients, or raw failures (to see why not)");
  verb.add_option("--runs", options.runs, "how many rollouts")->check(CLI::Range(1, 10000000))->capture_default_str();
  verb.add_option("--seed", options.seed, "the same seed gives the same runs")->capture_default_str();
  verb.add_option("--counters", options.counters, "judge recorded counters instead: NDJSON, a line per second; - is stdin")->option_text("FILE");
}

void add_plan_options(CLI::App& verb, Options& options) {
  auto* steps = verb.add_option("--steps", options.steps, "weights in percent, with times: 1:2m,5:5m (default: 1:2m,5:5m,10:5m,25:5m,50:10m)");
  verb.add_option("--step", options.step, "even steps of so many percent")->excludes(steps);
  verb.add_option("--every", options.every, "time of a step that names none")->capture_default_str();
  verb.add_option("--deadline", options.deadline, "of a step; then it is undecided")->capture_default_str();
  verb.add_option("--first-contact", options.first_contact, "time at half of the first step's weight; 0: none")->capture_default_str();
  verb.add_option("--alpha", options.alpha, "chance of ever rolling back a version that is no worse than tolerated")->capture_default_str();
  verb.add_option("--r0", options.tolerated_ratio, "failure ratio to stable that is tolerated")->capture_default_str();
  verb.add_option("--delta", options.delta, "smallest increase that matters: a step wants ln(20)/delta attempts")->capture_default_str();
}

}  // namespace

void add_simulate(CLI::App& app, cli::Common& common, std::function<Result<cli::ExitCode>()>& body) {
  auto* verb = app.add_subcommand("simulate", "what the judge would do: synthetic loads or recorded counters");
  auto options = std::make_shared<Options>();
  add_load_options(*verb, *options);
  add_plan_options(*verb, *options);
  cli::add_output_option(*verb, common);
  verb->callback([options, &common, &body] { body = [options, &common] { return simulate_verb(*options, common); }; });
}

}  // namespace nlb::deploy
