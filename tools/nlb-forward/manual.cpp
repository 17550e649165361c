#include "tools/nlb-forward/manual.hpp"

namespace nlb::forward {

const cli::Manual manual = {
    .description =
        "nlb-forward puts one TCP port in front of many services. It reads a connection's first bytes, knows the protocol (HTTP, TLS, "
        "MySQL, PostgreSQL, MongoDB, Redis, RTMP), and relays the connection to the best healthy module of the service that the protocol "
        "or a route names, within the limits and under the running split of versions. It never ends TLS and never changes a byte.\n\n"
        "MySQL servers speak first, so a MySQL client is silent. A listener says what silence means (silent: {after: 50ms, protocol: "
        "mysql}); the module's greeting is checked before it is passed on.\n\n"
        "On TERM it begins no new connection, serves what has connected, and ends when the last session has, or at the drain timeout. On "
        "HUP it reads its configuration again, whole: it swaps, or keeps the old one and says why. No session is dropped by a reload.\n\n"
        "A new version, another number of workers or processes: on USR2 the running process starts the program anew, from the path and with "
        "the arguments it was itself started with, and the new process takes over; nlb-forward --takeover does the same from outside, with "
        "arguments of its own. The new process gets the very sockets that the old one listens on, with the connections that wait in their "
        "queues, opens those that its configuration has beside them, reads the copy of the bus, and only then asks the old one to let go of "
        "pid file and bus and to accept no more. No connection is lost or delayed. The old process drains: it ends with its last session, or "
        "at the drain timeout of its services. A new process that fails before it serves, or hangs, changes nothing: the old one goes on. "
        "Several old processes may drain at the same time (--old-generations; status shows them), one more is refused. An old process "
        "follows its configuration and the bus no more. Old and new meet at a socket in the runtime directory ($NLB_RUNTIME_DIR, "
        "$RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/nlb, /run/nlb) that only the same user and root may use.\n\n"
        "A module of the configuration that says what to ask it (modules[].check) is asked every health.interval: health.fall failed checks in "
        "a row, and it gets no new sessions; health.rise good ones, and it does again. Sessions that are open go on. It begins as healthy, "
        "also in a new process that takes over; a reload keeps what is known of a module that is asked the same as before. Each of several "
        "processes asks for itself. When no module of a service is healthy its sessions are refused. Modules that a registry names are "
        "checked by that one. status has each module's health, its reason and for how long (health_seconds).\n\n"
        "With manager.url it reports to an outer manager, by POST of a JSON object. URL/register, once: balancer (host and first address, "
        "the same over restarts), program, version, pid, started_unix_seconds, interval_seconds, config_version (a hash of the configuration "
        "in force, --set and environment included), addresses, admin. URL/heartbeat, each manager.interval spread by a tenth, and at once "
        "after a reload that changed something: balancer, config_version, uptime_seconds, load (sessions, sessions_waiting, sessions_total, "
        "sessions_per_second, cpu_percent, memory_bytes, modules, modules_up). Any 2xx is a yes; 404 and 410 mean register again; else it "
        "is asked again after 1 s, 2 s, 4 s, up to the interval. A manager that hangs or refuses has no influence on traffic, start or end.",
    .examples = {{"nlb-forward --config nlb.yaml", "run in the foreground"},
                 {"nlb-forward check nlb.yaml", "print every problem of a configuration; exit 0 or 3"},
                 {"nlb-forward status", "what a running nlb-forward is doing"},
                 {"nlb-forward status -o ndjson | jq .sessions.open", "the same for a script"},
                 {"nlb-forward --config nlb.yaml --takeover --workers 4", "take over from the running one, with four workers"},
                 {"kill -USR2 $(cat forward.pid)", "let the running one start the installed version and hand over to it"}},
    .files = {{"/etc/nlb/nlb.yaml", "the configuration, see nlb.yaml(5)"}},
    .environment = {{"NLB_MANAGER_API_KEY", "the outer manager's key; else manager.api_key_file"}},
    .signals = {{"TERM, INT", "drain and end; a second one ends at once"},
                {"HUP", "read the configuration again and reopen the access log"},
                {"USR1", "reopen the access log, of draining old processes too"},
                {"USR2", "start the program anew and hand over to it"}},
    .exit_no = "",
    .security = "The admin port has no authentication: keep it on loopback. A PROXY header is believed only from the networks under "
                "proxy_protocol.from.",
    .bugs = "Byte limits switch splicing off for all sessions, since spliced bytes are seen only in large steps. Several processes (--processes) "
            "do not know each other's PostgreSQL cancellation keys: such a CancelRequest may go to the module that is picked. Counters begin anew with a new process. A process that gave up root (security.run_as) starts "
            "its successor without it, which may not be able to write the pid file: use --takeover there. As process 1 of a container USR2 is refused: the "
            "container would end with the old process.",
    .see_also = {"nlb-inspect(1)", "nlb-registry(1)", "nlb-deploy(1)", "nlb-scale(1)"},
};

}  // namespace nlb::forward
