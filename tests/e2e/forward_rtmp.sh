#!/bin/bash
# ffmpeg publishes a stream through the port to nginx-rtmp, and a second client plays it through the same port.
. "$(dirname "$0")/../support/lib.sh"
start_nginx media
start_forward <<YAML
$(listener)
modules:
$(module media-1 rtmp "$RTMP_PORT")
YAML

run publisher ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=160x120:rate=25 -t 60 -c:v flv -g 5 -f flv "rtmp://127.0.0.1:$FORWARD_PORT/live/test"
publisher=$PID
frames() { timeout 20 ffmpeg -nostdin -v error -analyzeduration 500000 -i "rtmp://127.0.0.1:$FORWARD_PORT/live/test" -frames:v 10 -f null - 2>&1 && echo played; }
eventually 40 eval '[ "$(frames)" = played ]'
stop "$publisher" INT
eventually 10 logged 'select(.protocol == "rtmp" and .module == "media-1" and .bytes_up > 10000)'
eventually 10 logged 'select(.protocol == "rtmp" and .bytes_down > 10000)'
eventually 10 no_session_left
