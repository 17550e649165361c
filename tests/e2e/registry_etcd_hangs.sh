#!/bin/bash
# A leader whose etcd stands still: with its lease it stops leading, and told to end in the middle of a question to etcd it ends well.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
start_pair 2s
etcd=${PIDS[0]% *}
kill -STOP "$etcd"
eventually 10 follows "$FIRST_ADMIN"
kill -TERM "$FIRST_PID" "$SECOND_PID"
ended_with "$FIRST_PID" 0
ended_with "$SECOND_PID" 0
kill -CONT "$etcd"
