#include "libnlb/orchestrator/health.hpp"

namespace nlb::orchestrator {
namespace {

Duration whole_ms(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d); }

}  // namespace

Health::Health(std::string_view kind, const TargetOptions& options)
    : kind_(kind), alarm_after_(options.alarm_after),
      backoff_{Backoff(options.backoff_first, options.backoff_most, options.seed),
               Backoff(options.backoff_first, options.backoff_most, options.seed + 1),
               Backoff(options.backoff_first, options.backoff_most, options.seed + 2)},
      honesty_(options.settle) {}

std::optional<Error> Health::admit(Verb verb, MonoTime now) {
  ++at(verb).asked;
  const auto left = backoff_[static_cast<std::size_t>(verb)].left(now);
  if (left <= Duration{}) return std::nullopt;
  ++at(verb).held_back;
  const auto& last = at(verb).last_error;
  return Error{ErrorKind::unavailable, std::string(to_string(verb)) + " waits " + format_duration(whole_ms(left)) + " after " +
                                           std::to_string(at(verb).failures_in_a_row) + " failures: " + (last ? last->text : "")};
}

void Health::done(Verb verb) {
  ++at(verb).done;
  at(verb).failures_in_a_row = 0;
  backoff_[static_cast<std::size_t>(verb)].succeeded();
}

void Health::failed(Verb verb, const Error& error, MonoTime now, WallTime wall, Duration retry_after) {
  auto& state = at(verb);
  state.last_error = error;
  if (error.kind == ErrorKind::conflict || error.kind == ErrorKind::not_found) {
    ++state.conflicts;
    return;
  }
  if (state.failures_in_a_row++ == 0) state.failing_since = wall;
  ++(error.kind == ErrorKind::timeout ? state.timed_out : state.failed);
  backoff_[static_cast<std::size_t>(verb)].failed(now, retry_after);
}

void Health::seen(const Observation& observation, MonoTime now) {
  doubt_ = honesty_.judge(observation, now);
  if (!doubt_.empty()) ++contradictions_;
}

bool Health::alarming(const VerbStatus& verb) const {
  const bool timeout = verb.last_error && verb.last_error->kind == ErrorKind::timeout;
  return verb.failures_in_a_row >= alarm_after_ || (verb.failures_in_a_row > 0 && timeout);
}

Status Health::status(MonoTime now) const {
  Status out;
  out.kind = kind_;
  out.verbs = verbs_;
  out.contradictions = contradictions_;
  for (std::size_t i = 0; i < verb_count; ++i) {
    out.verbs[i].retry_in = backoff_[i].left(now);
    if (!out.alarm_text.empty() || !alarming(verbs_[i])) continue;
    out.alarm_text = std::string(kind_) + ": " + std::string(to_string(static_cast<Verb>(i))) + " failed " +
                     std::to_string(verbs_[i].failures_in_a_row) + " times: " + verbs_[i].last_error->text;
  }
  if (out.alarm_text.empty() && !doubt_.empty()) out.alarm_text = std::string(kind_) + " " + doubt_;
  out.alarm = !out.alarm_text.empty();
  return out;
}

}  // namespace nlb::orchestrator
