// The health of one target: counters, back-off and alarm per verb, from the results of its actions. Values only; one owner.
#pragma once

#include <array>

#include "libnlb/orchestrator/backoff.hpp"
#include "libnlb/orchestrator/honesty.hpp"
#include "libnlb/orchestrator/target.hpp"

namespace nlb::orchestrator {

class Health {
 public:
  Health(std::string_view kind, const TargetOptions& options);

  // A verb is asked for; an error means it isn't worth trying yet.
  std::optional<Error> admit(Verb verb, MonoTime now);
  void done(Verb verb);
  // A conflict or a thing that isn't there is an answer, not a failure of the target.
  void failed(Verb verb, const Error& error, MonoTime now, WallTime wall, Duration retry_after);
  void late(Verb verb) { ++at(verb).late; }
  void accepted(std::uint32_t count) { honesty_.accepted(count); }
  void unsure() { honesty_.forget(); }
  void seen(const Observation& observation, MonoTime now);
  Status status(MonoTime now) const;

 private:
  VerbStatus& at(Verb verb) { return verbs_[static_cast<std::size_t>(verb)]; }
  bool alarming(const VerbStatus& verb) const;

  std::string_view kind_;
  unsigned alarm_after_;
  std::array<VerbStatus, verb_count> verbs_{};
  std::array<Backoff, verb_count> backoff_;
  Honesty honesty_;
  std::string doubt_;
  std::uint64_t contradictions_ = 0;
};

}  // namespace nlb::orchestrator
