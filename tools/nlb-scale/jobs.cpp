#include "jobs.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace nlb::tool {
namespace {

class Progress {   // a bar on a terminal's stderr, nothing elsewhere; any thread
 public:
  explicit Progress(std::size_t total) : total_(total), visible_(isatty(STDERR_FILENO) != 0 && total > 1) {}
  ~Progress() { if (visible_) std::fputs("\r\x1b[K", stderr); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void step() {
    if (!visible_) return;
    const std::lock_guard lock(mutex_);
    ++done_;
    constexpr std::size_t width = 40;
    const auto filled = done_ * width / total_;
    std::fprintf(stderr, "\r[%s%s] %zu/%zu", std::string(filled, '#').c_str(), std::string(width - filled, '.').c_str(), done_, total_);
  }

 private:
  std::size_t total_, done_ = 0;
  bool visible_;
  std::mutex mutex_;
};

Outcome run(const Job& job, bool keep_steps) {
  Outcome outcome;
  outcome.steps = scale::run_plant(job.trace->trace, job.policy, job.plant);
  outcome.score = scale::score(job.trace->trace, outcome.steps, job.plant, job.policy.limits.min);
  if (!keep_steps) outcome.steps = {};
  return outcome;
}

}  // namespace

std::vector<Outcome> run_jobs(const std::vector<Job>& jobs, bool keep_steps) {
  std::vector<Outcome> outcomes(jobs.size());
  Progress progress(jobs.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i; (i = next.fetch_add(1)) < jobs.size(); progress.step()) outcomes[i] = run(jobs[i], keep_steps);
  };
  const auto wanted = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, jobs.size());
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < wanted; ++i) helpers.emplace_back(work);
  work();
  helpers.clear();   // joins
  return outcomes;
}

std::size_t cheapest(const std::vector<Outcome>& outcomes, std::size_t first, std::size_t last, double slo_percent_max) {
  auto best = last;
  for (auto i = first; i < last; ++i)
    if (outcomes[i].score.slo_percent <= slo_percent_max && (best == last || outcomes[i].score.cost < outcomes[best].score.cost)) best = i;
  return best;
}

}  // namespace nlb::tool
