#!/bin/bash
# What the detector's vectors say holds on the wire: each goes to the module of its protocol, whole and cut anywhere; the unknown are reset.
# Between them come random bytes, which may be anything but a reason to stall or to end.
. "$(dirname "$0")/../support/lib.sh"
protocols="http tls postgresql mongodb redis rtmp mysql"
for protocol in $protocols; do start_peer $protocol pong "$protocol."; printf -v "port_$protocol" %s "$PEER_PORT"; done
start_forward <<YAML
$(listener "detect: {timeout: 1s}")
modules:
$(for protocol in $protocols; do name=port_$protocol; module "$protocol-1" "$protocol" "${!name}"; done)
YAML

seed=${SEED:-$RANDOM}
timeout 200 "$PYTHON" - "$FORWARD_PORT" "$NLB_SOURCE/tests/data/detection/vectors.tsv" "$seed" <<'PYTHON' || fail "with SEED=$seed"
import concurrent.futures, csv, random, socket, sys, time

port, path, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def ask(pieces):
    """The first word of the answer; "unknown" when it was refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(0.002)
            return sock.recv(64).decode().split(".")[0] or "unknown"
    except (ConnectionResetError, BrokenPipeError):
        return "unknown"

def cut(data, rng):
    places = sorted(rng.sample(range(1, len(data)), min(3, len(data) - 1)))
    return [data[a:b] for a, b in zip([0] + places, places + [len(data)])]

def check(number, row):
    rng = random.Random(seed * 100000 + number)
    data = bytes.fromhex(row["first_bytes_hex"])
    ask([rng.randbytes(rng.randrange(1, 3000))])                  # random bytes: any answer, but an answer
    wanted = "unknown" if row["want"] == "more" else row["want"]   # what never shows its protocol is refused in the end
    return [(row["name"], how, got, wanted) for how, pieces in (("whole", [data]), ("cut", cut(data, rng)))
            if (got := ask(pieces)) != wanted]

lines = [line for line in open(path) if not line.startswith("#")]
rows = [row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if "direction: server" not in row["note"] and row["first_bytes_hex"] != "-"]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    wrong = sum(pool.map(check, range(len(rows)), rows), [])
for each in wrong:
    print("%s, %s: went to %s, not to %s" % each)
print(len(rows), "vectors")
sys.exit(len(rows) < 200 or bool(wrong))
PYTHON
eventually 20 no_session_left
