// Whether the canary is worse than stable: takes counts per second, gives a verdict with every number behind it.
//
// Each signal has its own Evidence (evidence.hpp) and a part of alpha, so that all signals together alarm falsely with at most alpha
// (union bound, any dependence). Beside the statistics:
//   * replicas    one bad replica is ejected, not the version: evidence without the worst replica is kept too, and the version is
//                 blamed only if the rest speaks against it as well, or a second replica goes bad after the first was ejected
//   * hard stop   no healthy canary replica; or 5 connect failures in a row from 3 clients while stable has none
//   * exposure    a step may pass after ln(20)/delta canary attempts (delta: the smallest increase that matters), or when the mirrored
//                 evidence says "not twice as bad" (20 : 1); before that it is waiting for traffic, which is never success
//   * suspicion   evidence above 5 : 1 holds the step, for it may be about to alarm
//   * cause       a late first byte makes a session long, a refused connect is a failure: whichever signal alarms first, the one of the
//                 earliest stage with suspicious evidence is named
// Pure: seconds come in with the counts. One owner, not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/rollout/evidence.hpp"

namespace nlb::rollout {

// What a signal counts, and which part of alpha it gets. Both directions of one measure are two signals.
struct Signal {
  std::string name;
  double alpha_part = 1;
  bool evidence_by_replica = true;
  std::uint32_t stage = 0;          // of a session: what goes wrong in an early one shows in later ones, too, and is their cause
};
std::vector<Signal> default_signals();   // the signals that a forwarder can see; parts add up to 1

struct JudgeOptions {
  double alpha = 0.01;              // of ever rolling back a version that is no worse than tolerated
  double tolerated_ratio = 1.25;    // r0
  double delta = 0.005;             // the smallest absolute increase of the failure rate that matters
  double suspicion = 5;             // evidence that holds a step
  std::vector<Signal> signals = {{"failures", 1, true}};
};

struct ReplicaCounts { std::string replica; std::uint64_t attempts = 0, bad = 0; };   // of the canary
struct SignalCounts {
  std::size_t signal = 0;
  Counts counts;
  std::vector<ReplicaCounts> replicas;
  std::uint64_t canary_raw = 0, stable_raw = 0;   // every failure, a client's repeated ones too: for people, never evidence
};

// What the forwarders saw in one second of attempts. A second may come in parts, and late (at most a minute).
struct Sample {
  std::int64_t second = 0;          // on the rollout's clock
  double weight = 0;                // the canary's, in force then; 0: not known
  std::vector<SignalCounts> signals;
};

struct Health {   // the newest state, for the hard stops
  std::optional<std::uint32_t> canary_healthy;   // replicas that may get traffic; nullopt: not known
  std::uint32_t connect_failures_in_row = 0, connect_failure_clients = 0;   // of the canary
  bool stable_connects = true;                   // stable had no connect failure meanwhile
};

enum class Finding : std::uint8_t { clear, suspicious, starving, eject_replica, worse, hard_stop };
std::string_view to_string(Finding finding);

struct Verdict {
  Finding finding = Finding::clear;
  std::size_t signal = 0;           // that decided (worse, suspicious, eject_replica)
  std::string replica;              // to eject
  std::string text;                 // why, with the numbers; only for eject_replica, worse and hard_stop
};

class Judge {
 public:
  explicit Judge(JudgeOptions options = {});

  void book(const Sample& sample);
  // The verdict on all that was booked; call it after each second. eject_replica is said once per rollout.
  Verdict verdict(const Health& health = {});

  bool exposed() const;             // enough canary attempts, or enough evidence of "not twice as bad"
  std::uint64_t exposure_wanted() const;
  std::string numbers(std::size_t signal) const;     // one line of them
  std::vector<std::string> explain() const;          // a line per signal with all evidence numbers, then what it waits for
  // Bad events (either colour) until an alarm is expected, were the canary `ratio` times worse; and at the present rate, in seconds.
  struct Speed { double events = 0, seconds = 0; };
  std::optional<Speed> speed(double ratio) const;    // nullopt while nothing is known

  const JudgeOptions& options() const { return options_; }
  const Evidence& evidence(std::size_t signal) const { return tracks_[signal].all; }
  std::uint64_t canary_raw(std::size_t signal) const { return tracks_[signal].canary_raw; }
  std::uint64_t stable_raw(std::size_t signal) const { return tracks_[signal].stable_raw; }
  std::size_t replicas_bad(std::size_t signal) const;   // of the canary, with at least one bad event
  void tolerate(double ratio);      // the A/A test found r0 too low (aa.hpp)
  const std::string& ejected() const { return ejected_; }

  struct SavedReplica { std::string replica; std::uint64_t attempts = 0, bad = 0; Evidence::Saved without; };
  struct SavedTrack { Evidence::Saved all; std::vector<SavedReplica> replicas; std::uint64_t canary_raw = 0, stable_raw = 0; };
  struct Saved { std::vector<SavedTrack> tracks; std::string ejected; };
  Saved save() const;
  void restore(const Saved& saved);   // precondition: made with the same signals

 private:
  struct Replica { std::string name; std::uint64_t attempts = 0, bad = 0; Evidence without; };
  struct Track { Evidence all; std::vector<Replica> replicas; std::uint64_t canary_raw = 0, stable_raw = 0; };
  void book_signal(const Sample& sample, const SignalCounts& found);
  Replica& replica(Track& track, const std::string& name);
  const Replica* worst(const Track& track) const;
  Verdict alarmed(std::size_t signal);
  std::string blame(std::size_t signal) const;

  JudgeOptions options_;
  std::vector<Track> tracks_;
  std::string ejected_;
};

inline constexpr std::size_t replicas_tracked_max = 32;   // of a canary; more are judged together
inline constexpr std::uint32_t hard_stop_failures = 5, hard_stop_clients = 3;

}  // namespace nlb::rollout
