#include "manual.hpp"

namespace nlb::tool {

cli::Manual manual() {
  cli::Manual text;
  text.description =
      "Decides how many replicas a service needs.\n\n"
      "simulate runs the production decision code on a recorded load and scores it. A replica ordered at t serves from t + --startup; removal is "
      "immediate; load beyond the ready capacity is shed. The first tenth of the trace, at most a day, is warm-up and not scored. cost is replica-hours "
      "launched over those of an ideal that always holds exactly max(--min, demand / 0.9); slo_percent is the share of 5 s slots whose mean demand is above "
      "90 % of the capacity that was ready throughout; flaps are changes of direction within 15 minutes. The elasticity metrics are those of the SPEC "
      "research group (Herbst).\n\n"
      "threshold adds or removes one replica when three fresh samples in a row are above or below. hpa is Kubernetes' HorizontalPodAutoscaler v2 with an "
      "external metric averaged over 30 s. predictive, the default, is ready for the peak until a replica ordered now can serve: it judges three plans by what "
      "they would have cost (the trend, the time of day, and both), and adds the margin that this load has needed lately.\n\n"
      "policy check reads the scale section of an nlb.yaml and says which policy nobody can follow, and why.";
  text.examples = {
      {"nlb-scale simulate --trace synthetic:diurnal --strategy hpa,predictive --sweep 0.2:0.95:0.025 -o table", "which strategy is cheapest within the slo, at which target"},
      {"nlb-scale simulate --trace synthetic:step --startup 2m --target 0.9 --steps -o ndjson", "every change of one run, then its scores"},
      {"nlb-scale simulate --trace synthetic:ramp --explain 9h -o table", "why so many at that time, and what would have been decided otherwise"},
  };
  text.exit_no = "policy check found a policy nobody can follow";
  text.bugs = "simulate sheds excess load; a queue in front of the replicas would serve some of it later.";
  text.see_also = {"nlb-deploy(1)", "nlb-forward(1)"};
  return text;
}

}  // namespace nlb::tool
