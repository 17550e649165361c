// What one service and version carries, put together from several sources (forwarders, heartbeats, exporters, a script on stdin). Each source
// reports levels (connections, percent) or counters that only grow; a counter becomes a rate over the last interval, by the source's
// own clock. The same sample again is not news. A source that falls silent keeps its last value, marked as incomplete, so that nothing
// is scaled in on what the others say; after `forget_after` it is forgotten (a forwarder that was taken away for good).
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/scale/decision.hpp"

namespace nlb::scale {

struct MeterOptions {
  Duration interval = std::chrono::seconds(30);        // over which rates are taken; three of them make a source silent
  Duration forget_after = std::chrono::minutes(10);
  std::size_t sources_max = 1000;                      // more are ignored, and counted
};

class Meter {   // one owner, not thread safe
 public:
  explicit Meter(MeterOptions options) : options_(options) {}

  // `sample` numbers the messages of a source: the same number again is the same message. `period`: when the next is due; 0: each interval.
  void level(const std::string& source, MetricKind kind, double total, std::uint64_t sample, MonoTime now, Duration period = {});
  // A count since the source's start, read at `clock` of its own monotonic time; `life` is another one after each of its restarts.
  void count(const std::string& source, MetricKind kind, double since_start, Duration clock, std::uint64_t life, MonoTime now);
  void forget(const std::string& source);              // it said good-bye

  std::vector<Metric> metrics(MonoTime now);           // the kinds that have a source that isn't silent
  bool complete(MonoTime now) const;                   // no known source is silent
  bool known(MetricKind kind) const { return sequence_[static_cast<std::size_t>(kind)] > 0; }   // has ever been measured
  std::uint64_t ignored() const { return ignored_; }

 private:
  struct Point { Duration clock; double value; };
  struct Source {
    std::optional<double> value;
    std::uint64_t sample = 0, life = 0;
    std::deque<Point> points;
    MonoTime at;
    Duration period{};
  };
  using Key = std::pair<std::string, MetricKind>;
  Source* find(const std::string& source, MetricKind kind);
  void renew(Source& source, MetricKind kind, std::optional<double> value, MonoTime now);
  bool silent(const Source& source, MonoTime now) const { return now - source.at > 3 * std::max(options_.interval, source.period); }

  MeterOptions options_;
  std::map<Key, Source> sources_;
  std::array<std::uint64_t, metric_kinds> sequence_{};
  std::uint64_t ignored_ = 0;
};

}  // namespace nlb::scale
