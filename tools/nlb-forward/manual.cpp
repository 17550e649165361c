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
        "HUP it reads its configuration again, whole: it swaps, or keeps the old one and says why. No session is dropped by a reload.",
    .examples = {{"nlb-forward --config nlb.yaml", "run in the foreground"},
                 {"nlb-forward check nlb.yaml", "print every problem of a configuration; exit 0 or 3"},
                 {"nlb-forward status", "what a running nlb-forward is doing"},
                 {"nlb-forward status -o ndjson | jq .sessions.open", "the same for a script"}},
    .files = {{"/etc/nlb/nlb.yaml", "the configuration, see nlb.yaml(5)"}},
    .environment = {},
    .signals = {{"TERM, INT", "drain and end; a second one ends at once"},
                {"HUP", "read the configuration again and reopen the access log"},
                {"USR1", "reopen the access log"}},
    .exit_no = "",
    .security = "The admin port has no authentication: keep it on loopback. A PROXY header is believed only from the networks under "
                "proxy_protocol.from.",
    .bugs = "Byte limits switch splicing off for all sessions, since spliced bytes are seen only in large steps.",
    .see_also = {"nlb-inspect(1)", "nlb-registry(1)", "nlb-deploy(1)", "nlb-scale(1)"},
};

}  // namespace nlb::forward
