#include "tools/nlb-deploy/manual.hpp"

namespace nlb::deploy {

cli::Manual manual() {
  cli::Manual text;
  text.description =
      "Moves the traffic of a service from one version to another in steps, watches whether the new one fails more often, and goes back by itself when it does.\n\n"
      "serve is the controller. It owns the weights of every service's versions, tells them to the forwarders over the bus, hears from them what happened, and keeps all of it in its "
      "store: it can be killed at any moment and goes on where it was. The other verbs ask it, over a Unix socket or TCP with mTLS. Where none runs, the verbs that only read look into "
      "the store themselves, and canary start --foreground is the controller for as long as its rollout takes.\n\n"
      "A rollout begins with capacity for its step (holding), publishes the weights and waits until every live forwarder has them and measures that share (shifting), lets time pass while "
      "the judge watches (baking), and climbs to the next step; after the last one the new version gets everything (promoting) and the old one stays warm for a while (promoted). Too little "
      "traffic is waiting_for_traffic, never success; a step without an answer at its deadline is undecided and waits for a person. A canary with 9 of 10 places taken, or sessions waiting for one, gets no more weight: the next step's capacity is asked for, and the rollout waits. An alarm leads to rolled_back from every phase.\n\n"
      "  nlb-deploy init web --stable v1\n"
      "  nlb-deploy canary start web --to v2 --steps 1,5,10,25,50,100 --every 2m --watch\n\n"
      "Every command carries an id; the same id again gets the first answer and starts nothing twice. With --expect-rev it is refused when somebody else was faster. --wait and --watch follow "
      "the rollout over one stream; Ctrl-C leaves it running. One rollout runs per service at a time.\n\n"
      "canary promote goes on to the next step without waiting for what this one still waits for; promote --full gives the new version everything at once. Several sites step together "
      "with --group eu,us: a forwarder belongs to the site that its bus.name is, or begins with. Each site has its own judge, no step opens before all have passed, and an alarm at one "
      "rolls back all, or freezes the others (--on-group-alarm freeze). A forwarder that falls silent is waited for by steps up for a minute, never by a rollback. Copies of serve on one "
      "etcd elect a leader; name all of them in deploy.grpc or --server of the clients.\n\n"
      "The judge tests itself all the time: two random halves of the stable version's clients are judged as if one were a canary, in trials of half an hour. Every alarm there is a false one. "
      "explain, get and the metrics nlb_judge_self_tests_total and nlb_judge_false_alarms_total tell their rate; where it is above --alpha beyond chance, the tolerated ratio is raised and "
      "that is said.\n\n"
      "simulate runs the judge and the rollout on synthetic loads, many times over, or once on recorded counters, and says how each ended. "
      "The judge is a test by betting on who a failure belongs to, the canary or stable. The base rate cancels, so an incident that both share, or a daily rhythm, is no "
      "evidence. It may look every second: a version that fails no more than --r0 times as often as stable is ever rolled back with a probability of at most --alpha. "
      "Failures are counted by client, since one broken client fails many times.\n\n"
      "One line per run has outcome (promoted, rolled_back or undecided), seconds until then, canary_failures and canary_attempts; the last line is the summary. "
      "--counters takes one line per second, in order:\n\n"
      "  {\"canary_attempts\":5,\"canary_failures\":0,\"stable_attempts\":495,\"stable_failures\":1}\n";
  text.examples = {
      {"nlb-deploy canary start web --to v2 --step 10 --every 2m --wait", "10 %, 20 %, ... every two minutes; the exit code says how it ended"},
      {"nlb-deploy get web --watch", "versions, weights wanted and measured, the judge's evidence, what it waits for"},
      {"nlb-deploy rollback web", "back to the stable version, from every step, and after a promotion"},
      {"nlb-deploy simulate --rate 500 --base 0.001 --effect x5 --runs 1000 --seed 1 -o ndjson", "how fast a canary that fails five times as often is found"},
      {"nlb-deploy simulate --base 0.02 --incident drift -o table", "how often a good version is rolled back while the failure rate drifts"},
      {"nlb-deploy simulate --rate 20 --steps 5:10m,25:10m --effect +0.05", "what a ladder of two steps does for a small service"},
  };
  text.files = {{"${runtime}/deploy.sock", "where serve answers (deploy.grpc; several addresses are separated by commas)"},
                {"${runtime}/deploy.bus", "splits, rollouts and holds, for the forwarders and nlb-scale"},
                {"${state}/deploy.db", "the store: rollouts, answers, history"}};
  text.signals = {{"TERM, INT", "serve saves the judges' evidence and ends; rollouts wait for the next controller and their weights stay"},
                  {"HUP", "serve reads certificates, keys, deploy.judge and deploy.keep_warm again"}};
  text.exit_no = "the rollout was rolled back (with --wait, --watch or --foreground). 4: no controller answers. 5: the rollout is paused or undecided, or --timeout was over. 6: refused, and "
                 "the text says which verbs are legal now";
  text.security =
      "Who may write to the Unix socket (mode 0660) may move traffic. On TCP serve wants mTLS: security.tls with certificate, key and client_ca; a caller may change the services that its "
      "certificate names (subject alternative names; * is all of them). With security.api_key_file every caller needs a key as well.";
  text.see_also = {"nlb-forward(1)", "nlb-scale(1)"};
  return text;
}

}  // namespace nlb::deploy
