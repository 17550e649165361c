#!/bin/bash
# run.sh [CTEST ARGUMENTS...]: installs what is missing, builds Release, runs all tests; ends with CTest's closing line and its exit code.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
tests/support/install.sh build test node
cmake --workflow --preset release
exec ctest --test-dir build/release -j2 --output-on-failure "$@"
