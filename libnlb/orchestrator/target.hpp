// A place where replicas run, as nlb-scale's loop sees it: three asynchronous verbs that never block the caller, each answered exactly
// once and in time, whatever the outside does. Around a Driver it puts: threads of its own (one for observe and set, up to
// removes_max for removals, none while idle), a deadline per action, an exponential back-off with jitter per verb, an alarm, counters,
// and a judge of the count that it is told (honesty.hpp).
//
//   auto target = make_target(policy.target, "web", "v1", places, [&](auto work) { loop.post(std::move(work)); });
//   (*target)->observe([&](Result<Observation> seen) {
//     if (seen) (*target)->set(3, seen->token, [](Result<> done) { ... });
//   });
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

enum class Verb : std::uint8_t { observe, set, remove };
constexpr std::size_t verb_count = 3;
std::string_view to_string(Verb verb);

struct TargetOptions {
  Duration observe_deadline = std::chrono::seconds(5);
  Duration set_deadline = std::chrono::seconds(30);
  Duration remove_slack = std::chrono::seconds(10);    // a removal may take its grace and this
  Duration backoff_first = std::chrono::seconds(1), backoff_most = std::chrono::seconds(60);
  Duration settle = std::chrono::minutes(2);           // live and desired may differ for so long
  unsigned alarm_after = 3;                            // failures of one verb in a row; a timeout alarms at once
  unsigned removes_max = 8;                            // at the same time; more wait
  unsigned waiting_max = 256;                          // actions that wait; more are refused
  std::uint64_t seed = 1;                              // of the jitter
};

struct VerbStatus {
  std::uint64_t asked = 0, done = 0, failed = 0, timed_out = 0, conflicts = 0;
  std::uint64_t held_back = 0;             // answered by the back-off without trying
  std::uint64_t late = 0;                  // ended after its deadline: the answer was thrown away
  unsigned failures_in_a_row = 0;
  std::optional<Error> last_error;         // kept after a success, for people
  WallTime failing_since{};                // of this row of failures
  Duration retry_in{};
};

struct Status {
  std::string_view kind;
  bool alarm = false;
  std::string alarm_text;                  // what is wrong: why: what to do
  std::array<VerbStatus, verb_count> verbs;
  unsigned running = 0, waiting = 0;
  std::uint64_t contradictions = 0;        // observations that contradict each other or what was agreed
};

// Any thread may call anything. Answers come through `post` (for example the loop's), or on a thread of the target's own when it is
// empty (don't destroy it from an answer then). Destroying waits up to two seconds for what runs; what hangs longer is left behind and its answer dropped.
class Target {
 public:
  using Post = std::function<void(std::function<void()>)>;
  template <class T> using Answer = std::function<void(Result<T>)>;

  Target(std::unique_ptr<Driver> driver, TargetOptions options, Post post = {});
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  void observe(Answer<Observation> answer);
  void set(std::uint32_t count, std::string token, Answer<void> answer);
  void remove(std::string instance, Duration grace, Answer<void> answer);
  void mark_ready(const std::string& instance);   // the caller saw it register; never blocks for long
  Status status() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::orchestrator
