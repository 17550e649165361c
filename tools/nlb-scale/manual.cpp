#include "manual.hpp"

namespace nlb::tool {

cli::Manual manual() {
  cli::Manual text;
  text.description =
      "Decides how many replicas a service needs, and starts, drains and removes them.\n\n"
      "serve is the loop. Every interval (scale.interval; 5 s by default where forwarders tell their traffic) it measures each version of each service that "
      "has a policy, decides, writes the intent down, gives the order to the target, and writes down what came of it. Measurements come by the bus, "
      "from the forwarders (rate, connections) and from the modules' heartbeats (CPU, memory), from exporters (scale.prometheus), and as JSON lines on stdin (--stdin):\n\n"
      "  {\"service\": \"web\", \"rate\": 120, \"connections\": 80, \"cpu\": 310, \"memory\": 150}\n"
      "  {\"service\": \"web\", \"module\": \"web-1\", \"ready\": true, \"sessions\": 3}\n\n"
      "The numbers are totals over all replicas. A measurement that is older than three intervals (of a heartbeat: its own), or the same sample again, is "
      "missing, and what is missing never scales in; neither is a replica that beats without saying what it uses. CPU, memory and connections have targets by default; one that nobody ever measured and the configuration doesn't name is left out.\n\n"
      "A replica counts as ready when it has registered as a module, by its name ({instance}, or NLB_INSTANCE in its environment), its label instance, or its address. "
      "When fewer are wanted, those with the fewest sessions are drained: the registry and the forwarders hear of it by the bus, they get no new sessions, "
      "and are removed when the forwarders count none, or at the service's drain_timeout. If the load returns first, they are called back. A module that drain names is not: another is started in its place; undrain calls it back. What nlb-deploy holds for a rollout is kept.\n\n"
      "State is in the store: a restart goes on where it was, and replicas are not touched by it. A second serve on the same store waits as standby.\n\n"
      "simulate runs the production decision code on a recorded load and scores it. A replica ordered at t serves from t + --startup; removal is "
      "immediate; load beyond the ready capacity is shed. The first tenth of the trace, at most a day, is warm-up and not scored. cost is replica-hours "
      "launched over those of an ideal that always holds exactly max(--min, demand / 0.9); slo_percent is the share of 5 s slots whose mean demand is above "
      "90 % of the capacity that was ready throughout; flaps are changes of direction within 15 minutes. The elasticity metrics are those of the SPEC "
      "research group (Herbst).\n\n"
      "threshold adds or removes one replica when three fresh samples in a row are above or below. hpa is Kubernetes' HorizontalPodAutoscaler v2 with an "
      "external metric averaged over 30 s. predictive, the default, is ready for the peak until a replica ordered now can serve: it judges three plans by what "
      "they would have cost (the trend, the time of the day or the week, and both), and adds the margin that this load has needed lately. It goes out at once, "
      "and in when three down cool-downs have passed since then. With all three, up and down steps may be limited; up cool-downs are threshold's.\n\n"
      "policy check reads the scale section of an nlb.yaml and says which policy nobody can follow, and why.";
  text.examples = {
      {"nlb-scale simulate --trace synthetic:diurnal --strategy hpa,predictive --sweep 0.2:0.95:0.025 -o table", "which strategy is cheapest within the slo, at which target"},
      {"nlb-scale simulate --trace synthetic:step --startup 2m --target 0.9 --steps -o ndjson", "every change of one run, then its scores"},
      {"nlb-scale simulate --trace synthetic:ramp --explain 9h -o table", "why so many at that time, and what would have been decided otherwise"},
  };
  text.examples.insert(text.examples.begin(), {
      {"nlb-scale serve --config nlb.yaml", "run the loop in the foreground"},
      {"nlb-scale status --watch", "what is wanted, what is ready, the load and the reason, live"},
      {"nlb-scale status -o ndjson | jq 'select(.alarm != \"\")'", "services with an alarm, for a script"},
      {"nlb-scale set web 6 --for 30m --reason 'the sale begins'", "six replicas for half an hour, whatever the load"},
      {"nlb-scale explain web", "why so many, and what would have been decided otherwise"},
  });
  text.files = {{"/etc/nlb/nlb.yaml", "the configuration, see nlb.yaml(5)"},
                {"${state}/scale.db", "history, what was learned, open intents, policies set by hand"},
                {"${state}/scale", "process targets: which processes there are, and their logs"}};
  text.signals = {{"TERM, INT", "end; replicas go on"}, {"HUP", "read the configuration again, whole, or keep the old one"}};
  text.exit_no = "policy check found a policy nobody can follow";
  text.security = "Whoever may open the socket of scale.grpc may change replica counts: it is 0660, in a folder of 0750. The admin port only tells.";
  text.bugs = "simulate sheds excess load; a queue in front of the replicas would serve some of it later.";
  text.see_also = {"nlb-deploy(1)", "nlb-forward(1)"};
  return text;
}

}  // namespace nlb::tool
