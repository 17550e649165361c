// The typed configuration: every section of nlb.yaml with its defaults. Values only; load.hpp turns YAML text and NLB_ variables into
// it and reports all errors at once. Every key here has a row in keys.cpp: default, effect, and the text of nlb.yaml.5.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::config {

using nlb::operator""ms;   // NOLINT
using nlb::operator""s;    // NOLINT
using nlb::operator""min;  // NOLINT
using nlb::operator""h;    // NOLINT

enum class AtLimit : std::uint8_t { refuse, queue, delay };
enum class LimitPer : std::uint8_t { protocol, service, client };
enum class PickerKind : std::uint8_t { least_conn, round_robin, random, p2c, hash, latency };
enum class Sticky : std::uint8_t { none, client, sni };          // what `hash` hashes; none means client
enum class HalfClose : std::uint8_t { close, full };
enum class SendProxy : std::uint8_t { none, v1, v2 };
enum class CheckKind : std::uint8_t { tcp, grpc, protocol, none };
enum class Strategy : std::uint8_t { threshold, hpa, predictive };
enum class ScaleMetric : std::uint8_t { rate, connections, cpu, memory };
enum class LogFormat : std::uint8_t { automatic, text, json };
enum class Splice : std::uint8_t { automatic, off };
enum class IoUring : std::uint8_t { automatic, off };

struct ProxyProtocolIn {
  bool accept = false;
  std::vector<Network> from;          // only these peers may send a header; empty with accept: nobody, an error
};
struct Detect {
  Duration timeout = 5s;
  std::uint32_t bytes_max = 4096;
  std::uint32_t unfinished_max = 10000;   // connections per listener whose protocol isn't known yet
};
struct Silent {
  Duration after = 50ms;              // matters when `protocol` is set or `close` is true
  bool adaptive = false;
  std::optional<Protocol> protocol;   // where a silent client goes; none: closed after detect.timeout
  bool close = false;                 // closed after `after` already
};
struct Listener {
  std::string name;                        // default: the address
  std::vector<Endpoint> addresses;         // host:port or unix:/path
  std::optional<Protocol> protocol;        // fixed to one protocol: nothing is detected; a server-first protocol waits for nothing
  ProxyProtocolIn proxy_protocol;
  Detect detect;
  Silent silent;
  std::uint64_t sessions_max = 500000;
  std::uint32_t backlog = 65535;
};

struct Module {
  std::string name;
  Protocol protocol = Protocol::unknown;
  std::string service;                 // default: the protocol's name
  Endpoint address;                    // data
  std::optional<Endpoint> control;     // gRPC
  std::string version = "v1";
  std::string colour;
  std::uint32_t weight = 100;          // 0 to 65535; 0 gets no new sessions
  std::string zone;
  std::uint32_t priority = 0;          // lower first; a higher tier is used when the lower has no usable module
  bool backup = false;
  std::uint32_t max_connections = 10000;
  SendProxy send_proxy = SendProxy::none;
  std::map<std::string, std::string> labels;
  CheckKind check = CheckKind::none;   // asked by nlb-forward, as health: says
};

struct Route {                         // first match wins; absent conditions match everything
  std::optional<std::string> listener;
  std::optional<Protocol> protocol;
  std::optional<std::string> sni;      // exact, or "*.suffix"
  std::optional<std::string> alpn;
  std::optional<std::string> http_host;   // exact, or "*.suffix"; the port is not compared
  std::optional<std::string> postgres_database;
  std::optional<std::string> postgres_user;
  std::vector<Network> source;
  std::string service;
};

struct Eject { std::uint32_t failures = 5; Duration period = 30s; std::uint32_t percent_max = 10; };
struct Queue { std::uint32_t sessions_max = 1000; Duration timeout = 5s; };
struct Service {
  PickerKind picker = PickerKind::least_conn;
  Sticky sticky = Sticky::none;
  Duration connect_timeout = 2s;
  std::uint32_t connect_tries = 3;
  Duration idle_timeout = 1h;
  HalfClose half_close = HalfClose::close;
  Duration drain_timeout = 30s;
  Duration drain_jitter = 5s;
  Duration slow_start = 0ms;
  Eject eject;
  std::uint32_t breaker_pending_max = 1000;
  Queue queue;
  bool fallback_versions = true;
  std::string zone_preferred;
};

struct Limit {
  std::string name;
  std::optional<Protocol> protocol;    // for per: protocol; absent: all
  std::optional<std::string> service;  // for per: service
  LimitPer per = LimitPer::protocol;
  double rate = 0;                     // new sessions a second; 0: not limited
  double burst = 0;                    // default: rate
  std::uint64_t connections = 0;       // open at the same time; 0: not limited
  std::uint64_t bytes_per_second = 0;  // both directions together; 0: not limited
  std::uint32_t table_max = 100000;    // clients remembered (per: client)
  AtLimit action = AtLimit::refuse;
  Queue queue;
};

struct HealthCheck {
  Duration interval = 10s;
  Duration timeout = 3s;
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  CheckKind check = CheckKind::protocol;
  double jitter = 0.1;                 // share of the interval
};

struct Relay {
  Splice splice = Splice::automatic;
  IoUring io_uring = IoUring::automatic;
  std::string congestion;              // congestion control of relayed sockets; empty: the system's
  std::uint32_t pipes_max = 128;       // per worker
};

struct Registry {
  Endpoint grpc = {Endpoint::Kind::ip, 50051, IpAddress::v4(0x7f000001), {}};
  std::uint32_t modules_per_protocol_max = 50;
  std::uint32_t modules_per_caller_max = 1000;
  std::uint32_t modules_max = 10000;
  std::uint32_t connections_per_module_max = 10000;
  Duration lease = 30s;
  std::vector<Network> allow_addresses = {{IpAddress::v4(0x7f000000), 104}};
};

struct Judge { double alpha = 0.01; double tolerated_ratio = 1.25; };
struct Deploy {
  std::string grpc = "unix:${runtime}/deploy.sock";
  Judge judge;
  Duration keep_warm = 10min;
};

struct ScaleTarget {                   // exactly one kind; the rest of the keys belong to it
  std::string kind = "observe";        // process | docker | kubernetes | exec | observe
  std::vector<std::string> command;    // process, exec: argv; {port} {service} {version} {index} are replaced
  std::string image, socket, network;  // docker
  std::string url, name_space, name, token_file, ca_file;   // kubernetes
  bool take_over = false;              // kubernetes
  bool ready_by_port = false;          // process
  std::uint64_t log_bytes_max = 10 << 20;   // process
  std::map<std::string, std::string> environment;
};
struct ScaleDirection { Duration cooldown = 3min; std::uint32_t step_max = 0; };   // 0: no limit
struct ScalePolicy {
  std::string service;
  std::string version;                 // empty: every version on its own
  std::uint32_t min = 1, max = 10;
  Strategy strategy = Strategy::predictive;
  double cpu_percent = 70, memory_percent = 80, connections = 1000, rate = 0;   // per replica; 0: not used
  std::uint32_t periods = 3;
  double up_percent = 100, down_percent = 50;   // strategy threshold: act above and below these shares of a target
  ScaleDirection up{3min, 0}, down{5min, 0};
  ScaleTarget target;
};
struct ScaleExporter {                 // Prometheus text somewhere: one series (or the sum of several) is a metric of a service
  std::string url;                     // http://host:port/path
  std::string service, version = "v1";
  std::string metric;
  std::map<std::string, std::string> labels;   // only series with these
  ScaleMetric kind = ScaleMetric::rate;
};
struct Scale {
  std::string grpc = "unix:${runtime}/scale.sock";
  Duration interval = 30s;
  std::vector<ScalePolicy> policies;
  std::vector<ScaleExporter> prometheus;
};

struct Bus {
  std::string name;                    // empty: this machine's, with the tool's
  std::string publish = "ipc://${runtime}/{tool}.bus";
  std::vector<std::string> subscribe;  // "ENDPOINT" or "ENDPOINT KEYFILE"; empty: the well-known ipc names
  std::string curve_secret_key_file, curve_allowed_keys_dir, curve_server_key_file;
};
struct Store {
  std::string sqlite = "${state}/{tool}.db";   // empty when etcd is used
  std::vector<std::string> etcd_endpoints;
  std::string etcd_prefix = "/nlb";
  Duration etcd_lease = 10s;           // of the leader among several copies of a daemon
};
struct Tls { std::string certificate, key, client_ca; };
struct Security { Tls tls; std::string api_key_file; std::string run_as; bool insecure = false; };
struct Admin { std::optional<Endpoint> address; };   // absent: the tool's default port on 127.0.0.1
struct AccessLog { std::string file; double sample = 1.0; };
struct Log { std::string level = "info"; LogFormat format = LogFormat::automatic; AccessLog access; };
struct Tracing { std::string otlp; double sample = 0.01; };
struct Manager { std::string url, api_key_file, ca_file; Duration interval = 30s; };
struct Licensing { bool release_mode = false; std::string key_file, server; std::vector<std::string> enterprise; };

struct Config {
  Detect detect;                               // the default of every listener
  std::vector<Listener> listen;
  std::vector<Module> modules;
  std::vector<Route> routes;
  std::string fallback;                        // service for unknown traffic; empty: refused
  std::map<std::string, Service> services;     // a service that is not named here has Service{}
  std::vector<Limit> limits;
  HealthCheck health;
  Relay relay;
  Registry registry;
  Deploy deploy;
  Scale scale;
  Bus bus;
  Store store;
  Security security;
  Admin admin;
  Log log;
  Tracing tracing;
  Manager manager;
  Licensing licensing;
};

}  // namespace nlb::config
