#include "tools/nlb-deploy/manual.hpp"

namespace nlb::deploy {

cli::Manual manual() {
  cli::Manual text;
  text.description =
      "Moves the traffic of a service from one version to another in steps, watches whether the new one fails more often, and goes back by itself when it does.\n\n"
      "simulate runs the judge and the rollout on synthetic loads, many times over, or once on recorded counters, and says how each ended. "
      "The judge is a test by betting on who a failure belongs to, the canary or stable. The base rate cancels, so an incident that both share, or a daily rhythm, is no "
      "evidence. It may look every second: a version that fails no more than --r0 times as often as stable is ever rolled back with a probability of at most --alpha. "
      "Failures are counted by client, since one broken client fails many times.\n\n"
      "One line per run has outcome (promoted, rolled_back or undecided), seconds until then, canary_failures and canary_attempts; the last line is the summary. "
      "--counters takes one line per second, in order:\n\n"
      "  {\"canary_attempts\":5,\"canary_failures\":0,\"stable_attempts\":495,\"stable_failures\":1}\n";
  text.examples = {
      {"nlb-deploy simulate --rate 500 --base 0.001 --effect x5 --runs 1000 --seed 1 -o ndjson", "how fast a canary that fails five times as often is found"},
      {"nlb-deploy simulate --base 0.02 --incident drift -o table", "how often a good version is rolled back while the failure rate drifts"},
      {"nlb-deploy simulate --rate 20 --steps 5:10m,25:10m --effect +0.05", "what a ladder of two steps does for a small service"},
  };
  text.see_also = {"nlb-forward(1)", "nlb-scale(1)"};
  return text;
}

}  // namespace nlb::deploy
