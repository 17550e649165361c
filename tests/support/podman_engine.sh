#!/bin/bash
# podman_engine.sh FOLDER: a Podman service of its own in FOLDER (store, socket `engine.sock`), with an image `nlbtest:1` made from a
# static busybox. Exits 77 with a note when this machine can't run containers. Ends when it is killed.
set -u
folder=$1
skip() { echo "skipped: $*" > "$folder/skip"; exit 77; }
command -v podman > /dev/null || skip "podman is not installed"
command -v runc > /dev/null || skip "runc is not installed"
busybox=$(command -v busybox) || skip "busybox-static is not installed"
[ "$(id -u)" = 0 ] || skip "podman needs root here"
cat > "$folder/containers.conf" << 'CONF'
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$folder/containers.conf
cat > "$folder/podman" << RUN
#!/bin/bash
CONTAINERS_CONF=$folder/containers.conf exec podman --root "$folder/store" --runroot "$folder/run" --storage-driver vfs --runtime runc "\$@"
RUN
chmod +x "$folder/podman"
mkdir -p "$folder/root" && cp "$busybox" "$folder/root/busybox" && tar -C "$folder/root" -cf "$folder/root.tar" busybox || skip "no image could be packed"
"$folder/podman" import "$folder/root.tar" nlbtest:1 > /dev/null 2>&1 || skip "podman import failed"
"$folder/podman" run --rm --network none nlbtest:1 /busybox true > "$folder/try.log" 2>&1 || skip "podman runs no container: $(tail -1 "$folder/try.log")"
exec "$folder/podman" system service -t 0 "unix://$folder/engine.sock" > "$folder/service.log" 2>&1
