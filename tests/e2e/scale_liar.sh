#!/bin/bash
# A target that contradicts itself, forgets what it agreed to, refuses or answers nonsense: an alarm that says what is wrong, the others
# scaled all the same, and everything good again when the target is.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/scale.sh"
echo truth >"$TEMP/mode"; echo 0 >"$TEMP/count"
cat >"$TEMP/target" <<'SH'
#!/bin/bash
cd "$(dirname "$0")"
mode=$(cat mode) count=$(cat count)
case $mode in refuses) echo "no quota left" >&2; exit 1 ;; nonsense) echo "<html>"; exit 0 ;; esac
case $NLB_ACTION in
  set) echo "$NLB_COUNT" >count ;;
  remove) echo $((count - 1)) >count ;;
  observe)
    [ $mode = forgets ] && said=$((count + 3)) || said=$count
    seq "$count" | jq -cn --argjson said "$said" --arg mode "$mode" \
      '[inputs | {id: "r\(.)", state: "ready"}] | {instances: (. + if $mode == "twice" then .[:1] else [] end), desired: $said}' ;;
esac
SH
chmod +x "$TEMP/target"
start_scale <<YAML
scale:
  interval: 1s
  policies:
    - {service: web, min: 2, max: 9, targets: {connections: 10}, target: {exec: {command: ["$TEMP/target"]}}}
    - {service: other, min: 1, max: 3, targets: {connections: 10}, target: {process: {command: [sleep, "600"]}}}
YAML
web() { scaled "select(.service == \"web\") | $1"; }
decisions() { curl -sf "http://127.0.0.1:$SCALE_ADMIN_PORT/status" | jq '[.services[] | select(.service == "other") | .decisions[]] | add'; }
decided() { [ "$(decisions)" -gt "$((before + 2))" ]; }
eventually 20 web '.ready == 2 and .alarm == ""'
while IFS=: read -r mode says; do
  echo "$mode" >"$TEMP/mode"
  eventually 40 web ".alarm | contains(\"$says\")"
  before=$(decisions)
  eventually 10 decided
  echo truth >"$TEMP/mode"; echo 2 >"$TEMP/count"
  eventually 60 web '.actual == 2 and .alarm == ""'
done <<'MODES'
twice:lists instance 'r1' twice
forgets:does another autoscaler or a person change them?
refuses:no quota left
nonsense:printed no JSON object
MODES
