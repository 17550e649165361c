// The plant and the scores against a reference that keeps every second of every replica.
#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/scale/plant.hpp"
#include "libnlb/scale/synthetic.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

Policy rate_policy(Strategy strategy, double target, Duration interval) {
  Policy p;
  p.strategy = strategy;
  p.limits = {2, 200};
  p.target = {target, 0, 0, 0};
  p.interval = interval;
  return p;
}

// Replays the orders on replicas that each know when they serve, second by second.
struct Reference {
  std::vector<std::uint32_t> ordered, ready;
  Reference(const Trace& trace, const std::vector<Step>& steps, std::int64_t startup) {
    std::vector<std::int64_t> serves_at(steps[0].ordered, 0);   // oldest first
    std::size_t next = 1;
    for (std::int64_t t = 0; t < trace.seconds(); ++t) {
      if (next < steps.size() && steps[next].t == t) {
        while (serves_at.size() > steps[next].ordered) serves_at.pop_back();
        while (serves_at.size() < steps[next].ordered) serves_at.push_back(t + startup);
        ++next;
      }
      ordered.push_back(static_cast<std::uint32_t>(serves_at.size()));
      ready.push_back(static_cast<std::uint32_t>(std::count_if(serves_at.begin(), serves_at.end(), [t](auto at) { return at <= t; })));
    }
  }
};

void compare(const std::string& shape, Strategy strategy, Duration interval, std::int64_t startup) {
  const auto points = *synthetic_trace(shape);
  const auto trace = *Trace::sample(points, *automatic_capacity(points), 6);
  PlantSettings plant;
  plant.startup_seconds = startup;
  const auto steps = run_plant(trace, rate_policy(strategy, 0.7 * trace.capacity(), interval), plant);
  const Reference reference(trace, steps, startup);
  for (const auto& step : steps) {
    REQUIRE(step.ordered == reference.ordered[static_cast<std::size_t>(step.t)]);
    REQUIRE(step.ready == reference.ready[static_cast<std::size_t>(step.t)]);
  }
  double launched = 0, ideal = 0, shed = 0, demand = 0, late = 0, slots = 0;
  const auto from = warm_up_seconds(trace, plant);
  for (auto t = from; t + 5 <= trace.seconds(); t += 5) {
    double sum = 0;
    std::uint32_t least = ~0U;
    for (auto s = t; s < t + 5; ++s) {
      const auto i = static_cast<std::size_t>(s);
      sum += trace.demand(s);
      least = std::min(least, reference.ready[i]);
      launched += reference.ordered[i];
      ideal += std::max(2.0, std::ceil(trace.demand(s) / 0.9));
      shed += std::max(0.0, trace.demand(s) - reference.ready[i]);
      demand += trace.demand(s);
    }
    ++slots;
    late += sum / 5 > 0.9 * least;
  }
  const auto result = score(trace, steps, plant, 2);
  CHECK(result.cost == Approx(launched / ideal).epsilon(1e-12));
  CHECK(result.slo_percent == Approx(100 * late / slots).epsilon(1e-9));
  CHECK(result.shed_ppm == Approx(1e6 * shed / demand).epsilon(1e-9));
}

}  // namespace

TEST_CASE("scores equal those of a naive one-second reference") {
  for (const auto* shape : {"spike", "ramp", "walk"}) {
    compare(shape, Strategy::hpa, 15s, 30);
    compare(shape, Strategy::predictive, 5s, 37);
    compare(shape, Strategy::threshold, 30s, 120);
  }
}

TEST_CASE("a trace is parsed with the line of its first fault") {
  CHECK(parse_trace("# a comment\n0,1\n\n 60 , 2.5 # why\n1.2e2,3")->size() == 3);
  CHECK(parse_trace("0,1\n0,2").error().text.find("line 2") != std::string::npos);
  CHECK(parse_trace("0,1\nx").error().kind == ErrorKind::bad_input);
  CHECK(parse_trace("0,-1").error().text.find("negative") != std::string::npos);
  CHECK(parse_trace("0,nan").error().kind == ErrorKind::bad_input);
  CHECK(Trace::sample({{0, 1}}, 1).error().kind == ErrorKind::bad_input);
}

TEST_CASE("rates between points are interpolated, and speed compresses time") {
  const auto trace = *Trace::sample({{0, 0}, {100, 100}, {200, 0}}, 10);
  CHECK(trace.seconds() == 200);
  CHECK(trace.demand(50) == Approx(5));
  CHECK(trace.demand(150) == Approx(5));
  CHECK(trace.mean(0, 100) == Approx(4.95));
  CHECK(Trace::sample({{0, 0}, {100, 100}, {200, 0}}, 10, 2)->demand(25) == Approx(5));
}

TEST_CASE("on a flat load at 90 percent of capacity the cost is the ideal's and nothing is late") {
  const auto trace = *Trace::sample(*synthetic_trace("flat"), 10);
  PlantSettings plant;
  for (auto strategy : {Strategy::hpa, Strategy::predictive}) {
    const auto result = score(trace, run_plant(trace, rate_policy(strategy, 9, 15s), plant), plant, 2);
    CHECK(result.cost == Approx(1.0));
    CHECK(result.slo_percent == 0);
    CHECK(result.actions_per_day == 0);
  }
}

TEST_CASE("an opposite action within 15 minutes is a flap, later it is none") {
  const auto trace = *Trace::sample({{0, 10}, {86400, 10}}, 1);
  const auto from = warm_up_seconds(trace, {});
  const std::vector<Step> steps{{0, 20, 20}, {from, 21, 20}, {from + 900, 20, 20}, {from + 900 + 901, 21, 20}};
  const auto result = score(trace, steps, {}, 2);
  CHECK(result.flaps_per_day == Approx(1 / result.days));
  CHECK(result.actions_per_day == Approx(3 / result.days));
}
