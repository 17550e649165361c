#!/bin/bash
# canary-in-ci.sh SERVICE VERSION [OPTIONS OF `nlb-deploy canary start`...]: a canary as a job of a pipeline, by exit codes and NDJSON only.
# Ends with 0 when the version was promoted; with 1 when it was rolled back; with 5 when it waits for a person; else with nlb-deploy's code.
# A job that is run again with the same CI_JOB_ID starts nothing twice: it finds its first rollout and goes on waiting for it.
set -uo pipefail
service=${1:?a service} version=${2:?a version}
shift 2
deploy=${NLB_BIN:+$NLB_BIN/}nlb-deploy
id=${CI_JOB_ID:+$service-$version-$CI_JOB_ID}

# One line per change of phase or weight goes to the job's log.
narrate() {
  jq -r --unbuffered 'select(.rollout) | "\(.phase) \(.rollout.weight_percent) %  waits for: \(.rollout.waiting_for)"' | uniq >&2
}

seen=$(mktemp) && trap 'rm -f "$seen"' EXIT
"$deploy" canary start "$service" --to "$version" --reason "pipeline ${CI_PIPELINE_ID:-by hand}" ${id:+--request-id "$id"} --watch -o ndjson "$@" |
  tee "$seen" | narrate
code=${PIPESTATUS[0]}
last=$(tail -n 1 "$seen")
case $code in
  0) echo "promoted: $version has all traffic of $service" ;;
  1) echo "rolled back: $(jq -r '.rollout.reason' <<<"$last")" ;;
  4) echo "no controller: is nlb-deploy serve running?" ;;
  5) echo "undecided: somebody has to look; meanwhile: $(jq -r '.legal_verbs | join(", ")' <<<"$last")" ;;
  6) echo "refused: see above" ;;
  *) echo "nlb-deploy ended with $code" ;;
esac
exit "$code"
