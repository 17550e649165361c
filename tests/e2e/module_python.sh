#!/bin/bash
# examples/python_module.py behind nlb-forward while requests flow: made from proto/ alone, it registers, reports, drains, leaves, is replaced.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
life_of "$PYTHON" "$NLB_SOURCE/examples/python_module.py" --registry "127.0.0.1:$REGISTRY_PORT"
