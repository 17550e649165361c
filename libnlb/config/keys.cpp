#include "libnlb/config/keys.hpp"

#include <array>

namespace nlb::config {
namespace {

using enum Type;
using std::string_view;

constexpr double any = 1e18;
constexpr double day = 86400, year = 365 * day;

constexpr Key must(Key key) { key.required = true; return key; }
constexpr Key pick(string_view path, Names names, string_view fallback, string_view effect) {
  return {path, choice, fallback, effect, 0, 0, names};
}
constexpr Key protocol_key(string_view path, string_view effect) { return pick(path, names_of<Protocol>(), "", effect); }

constexpr Key key_rows[] = {
    {"detect.timeout", duration, "5s", "A client whose protocol isn't known by then is closed; the default of every listener.", 0.001, day},
    {"detect.max_bytes", size, "4096", "The most bytes looked at for a decision (16 KiB are allowed where SNI is wanted).", 64, 65536},
    {"detect.unfinished_max", whole, "10000", "Connections per listener whose protocol isn't known yet; more are refused.", 1, 10e6},

    {"listen[].name", text, "", "Name in routes, logs and metrics; its address when absent."},
    must({"listen[].address", addresses, "", "One address or a list: host:port, [IPv6]:port or unix:/path; port 0 takes a free one."}),
    protocol_key("listen[].protocol", "Everything here speaks this protocol: nothing is detected, and a server-first protocol waits for nothing."),
    {"listen[].proxy_protocol.accept", flag, "false", "Expect a PROXY header (v1 or v2) in front of each connection of a trusted peer."},
    {"listen[].proxy_protocol.from", networks, "", "The peers that may send a PROXY header; must be given with accept."},
    {"listen[].detect.timeout", duration, "5s", "As detect.timeout, for this listener.", 0.001, day},
    {"listen[].detect.max_bytes", size, "4096", "As detect.max_bytes, for this listener.", 64, 65536},
    {"listen[].detect.unfinished_max", whole, "10000", "As detect.unfinished_max, for this listener.", 1, 10e6},
    {"listen[].silent.after", duration, "50ms", "How long a client may say nothing before it counts as silent. One that speaks first, but later, meets the wrong server: allow for slow networks and loaded hosts.", 0, day},
    {"listen[].silent.adaptive", flag, "false", "Shorten the wait by what clients of this listener did before."},
    protocol_key("listen[].silent.protocol", "Where silent clients go; must be a protocol whose server speaks first (mysql)."),
    {"listen[].silent.close", flag, "false", "Close silent clients instead of passing them on."},
    {"listen[].sessions_max", whole, "500000", "Open sessions of this listener; more are refused.", 1, 1e9},
    {"listen[].backlog", whole, "65535", "Connections that the kernel holds until they are accepted.", 1, 65535},

    must({"modules[].name", text, "", "Name of the module, once in the whole configuration."}),
    must(protocol_key("modules[].protocol", "The protocol it speaks.")),
    {"modules[].service", text, "", "The service it belongs to; the protocol's name when absent."},
    must({"modules[].address", address, "", "Where its traffic goes: host:port or unix:/path."}),
    {"modules[].control", address, "", "Its gRPC address, for grpc checks and drain wishes."},
    {"modules[].version", text, "v1", "The version that splits choose by."},
    {"modules[].colour", text, "", "blue or green, shown in metrics."},
    {"modules[].weight", whole, "100", "Its share among the modules of a version; 0 gets no new sessions.", 0, 65535},
    {"modules[].zone", text, "", "Where it stands; see services.*.zone_preferred."},
    {"modules[].priority", whole, "0", "Lower first: a higher tier is used when the lower has no usable module.", 0, 255},
    {"modules[].backup", flag, "false", "Used only when no other module of the service is usable."},
    {"modules[].max_connections", whole, "10000", "Sessions at the same time; a full module is skipped.", 1, 10e6},
    pick("modules[].send_proxy", send_proxy_names, "none", "Send a PROXY header with the client's address to this module."),
    {"modules[].labels.*", text, "", "Free words for people and filters."},
    pick("modules[].check", check_names, "none", "What nlb-forward asks it every health.interval: a TCP connect, gRPC health at its control address, its protocol's own question, or nothing. health.fall failed checks in a row, and it gets no new sessions; health.rise good ones, and it does again. It begins as healthy."),

    {"routes[].listener", text, "", "Matches sessions of the listener with this name."},
    protocol_key("routes[].protocol", "Matches sessions of this protocol."),
    {"routes[].sni", text, "", "Matches the server name of TLS: exact, or *.suffix."},
    {"routes[].alpn", text, "", "Matches when TLS offers this application protocol."},
    {"routes[].http_host", text, "", "Matches the host of the first plain HTTP request: exact, or *.suffix; the port isn't compared."},
    {"routes[].postgres_database", text, "", "Matches the database of a plain PostgreSQL start-up."},
    {"routes[].postgres_user", text, "", "Matches the user of a plain PostgreSQL start-up."},
    {"routes[].source", networks, "", "Matches clients of these networks."},
    must({"routes[].service", text, "", "Where matching sessions go."}),

    {"fallback", text, "", "The service for traffic that nothing recognised; refused with a reset when absent."},

    pick("services.*.picker", picker_names, "least_conn", "How a module is picked."),
    pick("services.*.sticky", sticky_names, "none", "What the hash picker hashes: the client's address (also for none) or the server name."),
    {"services.*.connect.timeout", duration, "2s", "How long one try to connect may take.", 0.001, 600},
    {"services.*.connect.tries", whole, "3", "Modules that are tried before the client is refused.", 1, 100},
    {"services.*.idle_timeout", duration, "1h", "A session without a byte for so long is closed; 0 never.", 0, year},
    pick("services.*.half_close", half_close_names, "close", "After a module's end of file: close both sides, or keep the client's direction open (full)."),
    {"services.*.drain_timeout", duration, "30s", "How long old sessions of a leaving module may go on.", 0, 7 * day},
    {"services.*.drain_jitter", duration, "5s", "Drained sessions are closed spread over so long.", 0, day},
    {"services.*.slow_start", duration, "0", "A new module's weight grows to full over so long.", 0, day},
    {"services.*.eject.failures", whole, "5", "Failures in a row that eject a module; 0 never.", 0, 1e6},
    {"services.*.eject.for", duration, "30s", "How long the first ejection lasts; each further one is longer.", 0.001, day},
    {"services.*.eject.max_percent", whole, "10", "At most this share of a service is ejected at once (one module always may be).", 0, 100},
    {"services.*.breaker.pending_max", whole, "1000", "Connects under way per module; more count as a full module.", 1, 1e6},
    {"services.*.queue.max", whole, "1000", "Sessions that wait for a free module; 0 refuses at once.", 0, 1e6},
    {"services.*.queue.timeout", duration, "5s", "How long a session waits in the queue.", 0, 3600},
    {"services.*.fallback_versions", flag, "true", "When the version that the split chose has no usable module, use another version."},
    {"services.*.zone_preferred", text, "", "Modules of this zone are used first."},

    must({"limits[].name", text, "", "Name in metrics (bucket) and logs, once in the whole configuration."}),
    protocol_key("limits[].protocol", "Only sessions of this protocol; all when absent."),
    {"limits[].service", text, "", "Only sessions of this service; all when absent."},
    pick("limits[].per", limit_per_names, "protocol", "What has a bucket of its own."),
    {"limits[].rate", number, "0", "New sessions a second; 0 is no limit.", 0, 1e9},
    {"limits[].burst", number, "0", "Sessions that may come at once; one second's worth (at least 1) when absent.", 0, 1e9},
    {"limits[].connections", whole, "0", "Sessions at the same time; 0 is no limit.", 0, 1e9},
    {"limits[].bytes_per_second", size, "0", "Both directions together, per bucket; 0 is no limit.", 0, 1e15},
    {"limits[].table_max", whole, "100000", "Clients remembered (per: client); the one seen longest ago makes room.", 1, 100e6},
    pick("limits[].action", at_limit_names, "refuse", "At the limit: refuse with a reset, queue, or delay."),
    {"limits[].queue.max", whole, "1000", "Sessions that wait (action queue or delay), for each protocol or service that is counted apart; more are refused.", 0, 1e6},
    {"limits[].queue.timeout", duration, "5s", "How long a session waits in the queue; a delayed one waits for its turn.", 0, 3600},

    {"health.interval", duration, "10s", "Time between two checks of a module; one that registers may have its own.", 0.1, 3600},
    {"health.timeout", duration, "3s", "A check without an answer by then has failed; at most the interval.", 0.01, 3600},
    {"health.rise", whole, "2", "Good checks in a row that make a module usable.", 1, 100},
    {"health.fall", whole, "3", "Failed checks in a row that make it unusable.", 1, 100},
    pick("health.check", check_names, "protocol", "What nlb-registry asks a module that doesn't say: a TCP connect, gRPC health, the protocol's own question, or nothing. What nlb-forward asks those of its own file: modules[].check."),
    {"health.jitter", number, "0.1", "Share of the interval by which checks are spread.", 0.01, 0.5},

    pick("relay.splice", splice_names, "auto", "Move long streams inside the kernel."),
    pick("relay.io_uring", io_uring_names, "auto", "Send small chunks of many sessions in one system call, where the kernel (6.1) allows it."),
    {"relay.congestion", text, "", "Congestion control of relayed sockets; when absent the system's, but never BBR on loopback."},
    {"relay.pipes_max", whole, "128", "Pipes kept per worker for splicing.", 0, 65536},

    {"registry.grpc", address, "127.0.0.1:50051", "Where nlb-registry answers."},
    {"registry.modules_per_protocol_max", whole, "50", "Modules of one protocol; more are refused.", 1, 1e6},
    {"registry.modules_per_caller_max", whole, "1000", "Modules that one caller may register.", 1, 1e6},
    {"registry.modules_max", whole, "10000", "Modules in all.", 1, 1e6},
    {"registry.connections_per_module_max", whole, "10000", "A module that claims more sessions is held to this.", 1, 1e7},
    {"registry.lease", duration, "30s", "A module that isn't renewed for so long is dropped; one that registers may ask for its own, in the same range.", 1, 3600},
    {"registry.allow_addresses", networks, "[127.0.0.0/8]", "The networks that registered modules may point into."},

    {"deploy.grpc", text, "unix:${runtime}/deploy.sock", "Where nlb-deploy serve answers."},
    {"deploy.judge.alpha", number, "0.01", "The chance of a false alarm that the judge of a canary may take.", 1e-9, 0.5},
    {"deploy.judge.tolerated_ratio", number, "1.25", "A canary may fail up to this many times as often as the stable version.", 1, 1000},
    {"deploy.keep_warm", duration, "10m", "How long the old version stays after a promotion.", 0, 30 * day},

    {"scale.grpc", text, "unix:${runtime}/scale.sock", "Where nlb-scale serve answers."},
    {"scale.interval", duration, "30s", "Time between two decisions.", 0.1, day},
    must({"scale.policies[].service", text, "", "The service that is scaled."}),
    {"scale.policies[].version", text, "", "Only this version; every version on its own when absent."},
    {"scale.policies[].min", whole, "1", "Fewest replicas.", 0, 1e6},
    {"scale.policies[].max", whole, "10", "Most replicas.", 1, 1e6},
    pick("scale.policies[].strategy", strategy_names, "predictive", "The rule that decides."),
    {"scale.policies[].targets.cpu_percent", number, "70", "CPU wanted per replica; null leaves it out.", 0, 100000},
    {"scale.policies[].targets.memory_percent", number, "80", "Memory wanted per replica; null leaves it out.", 0, 100},
    {"scale.policies[].targets.connections", number, "1000", "Connections wanted per replica; null leaves it out.", 0, 1e9},
    {"scale.policies[].targets.rate", number, "null", "New sessions a second wanted per replica; null leaves it out.", 0, 1e9},
    {"scale.policies[].thresholds.up_percent", number, "100", "Strategy threshold: scale up above this share of a target.", 1, 1000},
    {"scale.policies[].thresholds.down_percent", number, "50", "Strategy threshold: scale down below this share of a target.", 0, 1000},
    {"scale.policies[].periods", whole, "3", "Evaluations in a row that must agree.", 1, 1000},
    {"scale.policies[].up.cooldown", duration, "3m", "Strategy threshold: time after a change before replicas are added again.", 0, 7 * day},
    {"scale.policies[].up.step_max", whole, "0", "Replicas added at once; 0 is no limit.", 0, 1e6},
    {"scale.policies[].down.cooldown", duration, "5m", "Time after a change before replicas are taken away; strategy hpa: its stabilisation window; predictive waits three times as long.", 0, 7 * day},
    {"scale.policies[].down.step_max", whole, "0", "Replicas taken away at once; 0 is no limit.", 0, 1e6},
    {"scale.policies[].target.process.command", texts, "", "Started once per replica; {port} {service} {version} {index} are replaced."},
    {"scale.policies[].target.process.environment.*", text, "", "Set for the command."},
    {"scale.policies[].target.process.ready_by_port", flag, "false", "A replica is ready when its port accepts, where it doesn't register as a module."},
    {"scale.policies[].target.process.log_bytes_max", size, "10MiB", "What is kept of each replica's output: so much, and as much again of what was before.", 4096, 1e12},
    {"scale.policies[].target.docker.image", text, "", "The image of each replica."},
    {"scale.policies[].target.docker.command", texts, "", "Instead of the image's own command."},
    {"scale.policies[].target.docker.socket", text, "", "The engine's Unix socket; the well-known one when absent."},
    {"scale.policies[].target.docker.network", text, "", "The network that containers join."},
    {"scale.policies[].target.docker.environment.*", text, "", "Set in the container."},
    {"scale.policies[].target.kubernetes.url", text, "", "The API server; the one of the own pod when absent."},
    {"scale.policies[].target.kubernetes.namespace", text, "", "Namespace of the deployment; the own pod's when absent."},
    {"scale.policies[].target.kubernetes.name", text, "", "Name of the deployment; the service's name when absent."},
    {"scale.policies[].target.kubernetes.token_file", text, "", "The token; the service account's when absent."},
    {"scale.policies[].target.kubernetes.ca_file", text, "", "Certificates that are trusted; the service account's when absent."},
    {"scale.policies[].target.kubernetes.take_over", flag, "false", "Scale it although a HorizontalPodAutoscaler does."},
    {"scale.policies[].target.exec.command", texts, "", "Called with the wanted count; {service} {version} {count} are replaced."},
    {"scale.policies[].target.exec.environment.*", text, "", "Set for the command."},
    {"scale.policies[].target.observe", flag, "true", "Recommend only (also when no target is given)."},
    must({"scale.prometheus[].url", text, "", "An exporter's page in the Prometheus text format: http://host:port/path; read every interval."}),
    must({"scale.prometheus[].service", text, "", "The service whose load it tells."}),
    {"scale.prometheus[].version", text, "v1", "The version whose load it tells."},
    must({"scale.prometheus[].metric", text, "", "Name of the metric; series are added up, a counter becomes a rate."}),
    {"scale.prometheus[].labels.*", text, "", "Only the series with these labels."},
    pick("scale.prometheus[].kind", scale_metric_names, "rate", "What it measures, over all replicas: sessions or requests a second, connections, percent of a CPU, percent of memory."),

    {"bus.name", text, "", "What this tool is called on the bus, after its role: its machine and the tool when absent. Two of one kind need two names. A forwarder belongs to the site of a rollout that its name is, or begins with: eu-1 to eu."},
    {"bus.publish", text, "ipc://${runtime}/{tool}.bus", "Where a tool publishes; {tool} is its name without nlb-. Of several processes (--processes) each has its own: the next two ports, or its number behind the path."},
    {"bus.subscribe", texts, "", "Where news comes from: endpoints, each with the file of its owner's public key behind a space where that isn't curve.server_key_file. Of two owners that name one module the first in the list is right. Who else is there is learned from the registry. The well-known names of this machine when absent."},
    {"bus.curve.secret_key_file", text, "", "The own secret key; tcp:// endpoints need it. Read again on HUP."},
    {"bus.curve.allowed_keys_dir", text, "", "Public keys that may connect, a file each (NAME.pub); its lines role or topics say what the holder may read. Read again on HUP."},
    {"bus.curve.server_key_file", text, "", "Public key of the owners this tool connects to; two while they change it. Read again on HUP."},

    {"store.sqlite", text, "${state}/{tool}.db", "The file of facts and journal."},
    {"store.etcd.endpoints", texts, "", "Use etcd instead, at these URLs."},
    {"store.etcd.prefix", text, "/nlb", "In front of every key in etcd."},
    {"store.etcd.lease", duration, "10s", "Of several copies of a daemon one leads; another takes over when it was silent for so long.", 2, day},

    {"security.tls.certificate", text, "", "Certificate (PEM) of the gRPC servers."},
    {"security.tls.key", text, "", "Its key (PEM)."},
    {"security.tls.client_ca", text, "", "Clients must have a certificate of this authority."},
    {"security.api_key_file", text, "", "File with the cluster's API key; callers must send it as x-nlb-api-key."},
    {"security.run_as", text, "", "User to become after the ports are bound."},
    {"security.insecure", flag, "false", "Allow gRPC without TLS beyond loopback and tcp:// bus endpoints without keys; logged and exported as a metric."},

    {"admin.address", address, "", "Admin HTTP; 127.0.0.1 with port 8082 (forward), 8083 (registry), 8084 (deploy), 8085 (scale) when absent."},

    pick("log.level", log_level_names, "info", "The least grave line that is written."),
    pick("log.format", log_format_names, "auto", "auto: text on a terminal, JSON lines elsewhere."),
    {"log.access.file", text, "", "One JSON line per session goes here; - is stdout."},
    {"log.access.sample", number, "1", "Share of sessions that get a line.", 0, 1},

    {"tracing.otlp", text, "", "Where spans go (OTLP over HTTP, or a file)."},
    {"tracing.sample", number, "0.01", "Share of sessions with spans.", 0, 1},

    {"manager.url", text, "", "Register this balancer there and report its load: JSON by POST to URL/register and URL/heartbeat, see nlb-forward(1)."},
    {"manager.api_key_file", text, "", "File with the manager's key, sent as Authorization: Bearer; $NLB_MANAGER_API_KEY wins."},
    {"manager.ca_file", text, "", "Certificates (PEM) to believe an https manager by; the system's when absent."},
    {"manager.interval", duration, "30s", "Time between two reports, spread by a tenth.", 1, day},

    {"licensing.release_mode", flag, "false", "Ask for a licence for the features named in enterprise."},
    {"licensing.key_file", text, "", "File with the licence key."},
    {"licensing.server", text, "", "URL of the licence server."},
    {"licensing.enterprise", texts, "", "Features that need a licence in release mode."},
};

constexpr Section section_rows[] = {
    {"listen", "nlb-forward", "Where clients connect."},
    {"modules", "nlb-forward, nlb-inspect", "Static modules; the registry adds more."},
    {"detect", "nlb-forward, nlb-inspect", "How long and how far first bytes are looked at."},
    {"routes", "nlb-forward, nlb-inspect", "Which service a session goes to: the first route whose conditions all hold wins; without one the service called like the protocol."},
    {"fallback", "nlb-forward, nlb-inspect", "Traffic of no known protocol."},
    {"services", "nlb-forward", "What traffic is routed to, by name. A service that isn't listed has the defaults."},
    {"limits", "nlb-forward", "How much is let through."},
    {"health", "nlb-registry, nlb-forward", "Active checks of modules."},
    {"relay", "nlb-forward", "How bytes are moved."},
    {"registry", "nlb-registry, and its callers", "Registration over gRPC."},
    {"deploy", "nlb-deploy", "Rollouts."},
    {"scale", "nlb-scale", "Replica counts."},
    {"bus", "all", "News between the tools."},
    {"store", "nlb-registry, nlb-deploy, nlb-scale", "Where facts are kept."},
    {"security", "all", "Keys, certificates and users."},
    {"admin", "all", "Health, metrics and status over HTTP."},
    {"log", "all", "What is written, and how."},
    {"tracing", "all", "Spans of control actions and sampled sessions. Not built yet: the keys are checked, and no tool reads them."},
    {"manager", "nlb-forward", "An outer manager; off unless url is set."},
    {"licensing", "all", "Off by default: then everything is on. Not built yet: no tool asks for a licence, everything is always on."},
};

struct TypeRow { string_view name, advice; };
constexpr std::array<TypeRow, 11> type_rows = {{
    {"text", "one word or a text in quotes"},
    {"list of texts", "[one, another], or a single text"},
    {"boolean", "true or false"},
    {"whole number", "digits only"},
    {"number", "digits, with a point where needed"},
    {"size", "a number and a unit, such as 4096, 64KiB or 100MiB"},
    {"duration", "a number and a unit, such as 50ms, 2s or 1h30m"},
    {"address", "host:port, [IPv6]:port or unix:/path"},
    {"addresses", "host:port, [IPv6]:port or unix:/path, or a list of them"},
    {"networks", "[10.0.0.0/8, 2001:db8::/32], or a single network"},
    {"choice", "one of the words listed"},
}};

}  // namespace

std::span<const Key> keys() { return key_rows; }
std::span<const Section> sections() { return section_rows; }
std::string_view type_name(Type type) { return type_rows[static_cast<std::size_t>(type)].name; }
std::string_view type_advice(Type type) { return type_rows[static_cast<std::size_t>(type)].advice; }

}  // namespace nlb::config
