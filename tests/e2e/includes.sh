#!/bin/bash
# libnlb/README.md says who may include whom; this holds the code to it. Third-party headers stay out of pure headers, tools never
# include each other, and nothing includes a tool.
set -euo pipefail
cd "${NLB_SOURCE:?}"
exec python3 tests/support/includes.py "$@"
