#!/bin/bash
# examples/node_module.js behind nlb-forward while requests flow: made from proto/ alone, it registers, reports, drains, leaves, is replaced.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
command -v node npm >/dev/null || skip "node or npm is not installed"
packages=$CACHE/node
mkdir -p "$packages"
exec {lock}>"$packages.lock"
flock "$lock"
cp "$NLB_SOURCE/examples/package.json" "$NLB_SOURCE/examples/node_module.js" "$packages"
[ -d "$packages/node_modules/@grpc/proto-loader" ] || (cd "$packages" && timeout 120 npm install --no-audit --no-fund --silent) >"$TEMP/npm.log" 2>&1 ||
  skip "npm can't install @grpc/grpc-js: $(tail -n 1 "$TEMP/npm.log")"
exec {lock}>&-
export PROTO_FOLDER=$NLB_SOURCE/proto
life_of node "$packages/node_module.js" --registry "127.0.0.1:$REGISTRY_PORT"
