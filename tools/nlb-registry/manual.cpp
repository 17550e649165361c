#include "tools/nlb-registry/manual.hpp"

namespace nlb::registrar {

const cli::Manual manual = {
    .description =
        "nlb-registry keeps the list of modules: what clients' sessions can go to. A module is part of the balancer after one "
        "RegisterModule call (gRPC, nlb.v1.NLBService, port 50051), in any language, or after nlb-registry register from a shell. It "
        "stays for as long as it beats; every change goes out on the bus, where nlb-forward and the controllers hear it. Modules that nlb-scale takes away are "
        "drained by its word on the bus, and called back by it.\n\n"
        "A module gets new sessions when its lease is alive and its checks pass: a TCP connect, gRPC health at its control address, or "
        "its protocol's own question (HTTP GET, Redis PING, PostgreSQL SSLRequest, MySQL greeting, MongoDB hello, RTMP C0 and C1, TLS "
        "ClientHello). Without a path of its own an HTTP check takes every answer below 500 as good, with one 200 to 399. When more "
        "than 15 % of a service, and at least two, fall silent together, they are kept as suspect: the network is the likelier culprit.\n\n"
        "Registering again renews and updates. Of two processes with one name the greater incarnation wins, and the older one is told "
        "to stop. A module that an operator unregisters stays out: it is told to stop, and refused when it registers again, until a newer process has its name, "
        "until unregister --cancel or an operator's register without --keep lets it in again, or until it has been silent for 24 hours; a restart of the registry "
        "changes nothing in that. A module that drains keeps its sessions and leaves when its forwarders have "
        "none of them left, or its time is over. A command that register runs is registered when it takes connections, and gets TERM when its "
        "sessions have ended, also when a newer process has its name. After a restart every module has a full lease again, and nobody is evicted before it is over.\n\n"
        "With store.etcd several registries share one list; one leads, the others answer UNAVAILABLE with its address and take over "
        "when it has been silent for store.etcd.lease. Name them all: --registry 10.0.0.1:50051,10.0.0.2:50051.",
    .examples = {{"nlb-registry serve --config nlb.yaml", "run in the foreground"},
                 {"nlb-registry register --name web-1 --protocol http --address 127.0.0.1:9001 -- ./web --port 9001",
                  "run a web server as a module: registered while it runs, drained on TERM"},
                 {"nlb-registry register --name cache-1 --protocol redis --address 127.0.0.1:6379 --keep", "keep a server that runs already registered"},
                 {"nlb-registry list", "the modules as a table"},
                 {"nlb-registry watch -o ndjson | jq -r .module", "each change, for a script"},
                 {"nlb-registry drain http/web-1", "no new sessions for a module; --cancel gives them back"},
                 {"nlb-registry unregister http/web-1 --drain --wait 1m", "take a module out, and watch its sessions end"},
                 {"nlb-registry unregister http/web-1 --cancel", "it stays, or may register again"},
                 {"nlb-registry keygen edge-1 --directory /etc/nlb/keys", "keys for the bus over tcp"}},
    .files = {{"/etc/nlb/nlb.yaml", "the configuration, see nlb.yaml(5)"}, {"/var/lib/nlb/registry.db", "the modules, in SQLite; store.sqlite"}},
    .environment = {{"NLB_API_KEY", "the cluster's API key, of serve and of the commands"}, {"NLB_ENDPOINT", "where the commands find the registry"}},
    .signals = {{"TERM, INT", "serve: ends every stream and ends; a registration with --keep leaves the list"},
                {"HUP", "serve: reads limits, certificates, API keys and the bus's allowed keys again; a file that is wrong changes nothing"}},
    .exit_no = "health: a module is unhealthy; register --keep: the registry wished that it stop. A command after -- gives its own code; "
               "127: it isn't there; 126: it can't be run.",
    .security =
        "Who may call: holders of the API key (security.api_key_file, one key a line, several while they are rotated; sent as metadata "
        "x-nlb-api-key), and with security.tls.client_ca holders of a certificate, whose subject alternative names are the services that "
        "they may register; * is all. Addresses outside registry.allow_addresses are refused. Plain TCP on anything but loopback needs "
        "--insecure, which is logged and shown as nlb_insecure_listener. The admin port has no authentication: keep it on loopback.",
    .bugs = "",
    .see_also = {"nlb-forward(1)", "nlb-deploy(1)", "nlb-scale(1)", "nlb-inspect(1)"},
};

}  // namespace nlb::registrar
