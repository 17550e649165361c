#!/bin/bash
# The committed man pages and completions are what the tools generate, and they are clean.
set -euo pipefail
source_dir=${NLB_SOURCE:?} bin=${NLB_BIN:?}
fresh=$(mktemp -d); trap 'rm -rf "$fresh"' EXIT
bash "$source_dir/tests/support/regenerate.sh" "$bin" "$fresh"
[ -n "$(ls "$fresh/man")" ] || { echo "no tool is built yet"; exit 77; }
status=0
for kind in man completions/bash completions/zsh completions/fish; do
  for file in "$fresh/$kind"/*; do
    diff -u "$source_dir/$kind/$(basename "$file")" "$file" || { echo "stale: run tests/support/regenerate.sh and commit"; status=1; }
  done
done
for page in "$source_dir"/man/*.[157]; do
  if command -v man > /dev/null; then
    warnings=$(MANWIDTH=100 man --warnings -l "$page" 2>&1 > /dev/null || true)
    [ -z "$warnings" ] || { echo "$page: $warnings"; status=1; }
  fi
done
for file in "$fresh"/completions/bash/*; do bash -n "$file" || status=1; done
if command -v zsh > /dev/null; then for file in "$fresh"/completions/zsh/*; do zsh -n "$file" || status=1; done; fi
if command -v fish > /dev/null; then for file in "$fresh"/completions/fish/*; do fish -n "$file" || status=1; done; fi
exit $status
