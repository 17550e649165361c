// From the forwarders' cumulative counters to the seconds that a judge reads.
//
//   * Counters only grow while `started` stays, so what two samples differ by is what happened between them: a lost one costs
//     resolution, not truth. Another `started` means that the forwarder began again; the first sample ever is only where counting starts.
//     A sample with the number of the one before it is old news: a publisher that repeats itself is no traffic.
//   * Sessions that lie beyond a quantile of stable's past (exceed.hpp) come in clusters: one client's sessions resemble each other, and
//     stickiness puts them all on one colour; and in bursts, when a machine was busy for a moment. So their counts are divided, before
//     they are evidence, by the sessions per client (Kish's design effect at full likeness) or by the dispersion that stable itself
//     shows from second to second (as in quasi-Poisson regression), whichever is greater: slower, but not fooled.
// Pure. One owner, not thread safe.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libnlb/rollout/exceed.hpp"
#include "libnlb/rollout/judge.hpp"

namespace nlb::rollout {

struct TrafficCounts {
  std::uint64_t attempts = 0, failures = 0, failing_clients = 0, connect_failures = 0, connect_failing_clients = 0;
  TrafficCounts& operator+=(const TrafficCounts& other);
  friend bool operator==(const TrafficCounts&, const TrafficCounts&) = default;
};

struct Sessions {
  TrafficCounts totals;
  std::vector<std::uint64_t> first_byte, session, bytes_back;   // histograms; the same buckets at every forwarder
};
struct TrafficSample : Sessions {   // of one version at one forwarder
  std::uint64_t started = 0, number = 0;
  std::map<std::string, Sessions> replicas;
  std::optional<Sessions> half;     // of every second client, for the judge's own test
};

class TrafficReader {             // remembers one forwarder's last sample of one version
 public:
  // What is new since the sample before; counters that went down without a new `started` count as nothing.
  TrafficSample take(const TrafficSample& sample);

 private:
  TrafficSample last_;
  bool known_ = false;
};

inline constexpr double dispersion_prior = 3, dispersion_prior_seconds = 10, dispersion_memory_seconds = 600;

class SiteMeter {                 // one service at one site
 public:
  void add(const std::string& version, const TrafficSample& news);
  void set_sessions_per_client(double ratio) { cluster_ = ratio < 1 ? 1 : ratio; }

  // Everything added since the last call, as the judge's sample of this second. `second`: the rollout's clock; `clock_second`: one
  // that goes on between rollouts, for thresholds. Signals are those of default_signals(), found by name.
  Sample sample(std::int64_t second, std::int64_t clock_second, double weight, const std::string& stable, const std::string& candidate,
                const std::vector<Signal>& signals);
  // Of the same second: stable's halves as if one were a canary (every second client), all signals; none when nobody reports halves.
  Sample halves() { return std::exchange(halves_, Sample{}); }

 private:
  using Rest = std::array<double, 4>;
  struct Shape {
    std::string_view name;
    std::vector<std::uint64_t> Sessions::* histogram;
    Exceedances beyond;
    Rest rest{}, half_rest{};
    std::map<std::string, Rest> replica_rest{};      // of the canary's
    double attempts = 0, bad = 0;                    // of stable, since the thresholds are its own
    double dispersion = dispersion_prior, seconds = dispersion_prior_seconds;
  };
  void compare_halves(std::int64_t second, const Sessions& all, const Sessions& half, const std::vector<Signal>& signals);
  std::vector<ReplicaCounts> beyond_by_replica(Shape& shape, const std::map<std::string, Sessions>& replicas) const;
  static void learn_dispersion(Shape& shape, const Counts& counts);
  double divisor_of(const Shape& shape) const;

  struct Open : Sessions {
    std::map<std::string, Sessions> replicas;
    std::optional<Sessions> half;
    Sessions halved;                            // of the forwarders that report halves: both together
  };
  std::map<std::string, Open> open_;            // by version
  std::string stable_;
  Sample halves_;
  double cluster_ = 1;
  std::vector<Shape> shapes_;
};

// What two parts of a service saw in one second, signal by signal.
Sample& operator+=(Sample& sum, const Sample& more);

// "eu" has the forwarders eu, eu-1, eu.a and eu/edge; the site without a name has all.
bool belongs_to_site(std::string_view forwarder, std::string_view site);

}  // namespace nlb::rollout
