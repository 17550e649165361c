#!/bin/bash
# module.sh NAME PORT [OPTIONS OF register...]: makes a server that knows nothing of balancers a module, with nlb-registry alone.
#
# nlb-registry runs the server, registers it, beats for it with its CPU, memory and the figures in --load-file, and takes it out of the
# list when it ends. TERM lets its sessions end first. When the registry wishes it (unregistered, drained and gone, or a newer process
# has the name) the server gets TERM and the exit code is 1.
set -euo pipefail
name=${1:?usage: module.sh NAME PORT [OPTIONS OF register...]} port=${2:?usage: module.sh NAME PORT [OPTIONS OF register...]}
shift 2
folder=$(mktemp -d)
trap 'kill "$counting" 2>/dev/null; rm -rf "$folder"' EXIT
echo "hello from $name" >"$folder/index.html"

# What only the server's side can know: here, the open connections of its port.
while sleep 1; do
  echo "connections $(ss -Htn state established "sport = :$port" | wc -l)" >"$folder/load.new" && mv "$folder/load.new" "$folder/load"
done &
counting=$!

nlb-registry register --name "$name" --protocol http --address "127.0.0.1:$port" --load-file "$folder/load" "$@" -- \
  python3 -m http.server "$port" --bind 127.0.0.1 --directory "$folder" &
life=$!
trap 'kill "$life"' TERM INT
code=0
wait "$life" || code=$?
while kill -0 "$life" 2>/dev/null; do code=0; wait "$life" || code=$?; done     # a signal ended the wait, not the server
exit "$code"
