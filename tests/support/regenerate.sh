#!/bin/bash
# Writes man pages and completions from the built tools: regenerate.sh [BIN] [OUT] (defaults: build/release/bin, the project).
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$top/build/release/bin} out=${2:-$top}
mkdir -p "$out"/man "$out"/completions/{bash,zsh,fish}
for source in "$top"/tools/nlb-*/; do
  tool=$(basename "$source")
  [ -x "$bin/$tool" ] || continue
  "$bin/$tool" --generate man > "$out/man/$tool.1"
  "$bin/$tool" --generate bash > "$out/completions/bash/$tool"
  "$bin/$tool" --generate zsh > "$out/completions/zsh/_$tool"
  "$bin/$tool" --generate fish > "$out/completions/fish/$tool.fish"
  "$bin/$tool" --generate nlb.yaml.5 > "$out/man/nlb.yaml.5"
done
