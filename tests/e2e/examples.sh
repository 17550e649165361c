#!/bin/bash
# Every configuration in examples/ is accepted by `nlb-forward check`, and every script there is at least a script.
. "$(dirname "$0")/../support/lib.sh"
for file in "$NLB_SOURCE"/examples/*.yaml; do "$NLB_BIN/nlb-forward" check "$file" || fail "$file"; done
for file in "$NLB_SOURCE"/examples/*.sh; do bash -n "$file" || fail "$file"; done
for file in "$NLB_SOURCE"/examples/*.py; do "$PYTHON" -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || fail "$file"; done
