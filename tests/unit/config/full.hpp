// Two configurations that the tests share: the smallest useful one, and one that sets a key of every section away from its default.
#pragma once

inline constexpr const char* minimal_yaml = R"(listen:
  - address: 127.0.0.1:8080
    silent: {after: 50ms, protocol: mysql}
modules:
  - {name: web-1, protocol: http, address: 127.0.0.1:9001}
  - {name: cache-1, protocol: redis, address: 127.0.0.1:6379, max_connections: 10000}
)";

inline constexpr const char* full_yaml = R"(listen:
  - name: edge
    address: ["[::]:8080", unix:/run/nlb/edge.sock]
    proxy_protocol: {accept: true, from: [10.0.0.0/8]}
    detect: {timeout: 4s, max_bytes: 8KiB, unfinished_max: 100}
    silent: {after: 40ms, adaptive: true, protocol: mysql}
    sessions_max: 5000
modules:
  - {name: web-1, protocol: http, service: web, address: 10.0.1.5:8080, control: 10.0.1.5:50051, version: v2, colour: green, weight: 50, zone: a, priority: 1, max_connections: 500, send_proxy: v2, labels: {team: "one: two"}, check: grpc}
routes:
  - {sni: "*.api.example", service: api}
  - {listener: edge, protocol: postgresql, postgres_database: reports, source: 10.0.0.0/8, service: pg-replica}
fallback: web
services:
  web: {picker: hash, sticky: sni, connect: {timeout: 1500ms, tries: 4}, idle_timeout: 2h, half_close: full, drain_timeout: 20s, drain_jitter: 1s, eject: {failures: 4, for: 20s, max_percent: 25}, breaker: {pending_max: 77}, queue: {max: 9, timeout: 1s}, fallback_versions: false}
limits:
  - {name: http_global, protocol: http, rate: 10000, burst: 50000, per: protocol}
  - {name: per-client, per: client, rate: 100.5, burst: 200, connections: 500, bytes_per_second: 100MiB, table_max: 5000, action: queue, queue: {max: 5}}
health: {interval: 5s, timeout: 1s, rise: 1, fall: 2, check: tcp}
relay: {splice: "off", io_uring: "off", congestion: bbr}
registry: {grpc: 127.0.0.1:50052, modules_per_protocol_max: 60, lease: 20s, allow_addresses: [127.0.0.0/8, "fd00::/8"]}
deploy: {grpc: "unix:${runtime}/d.sock", judge: {alpha: 0.05, tolerated_ratio: 1.5}, keep_warm: 5m}
scale:
  grpc: "unix:${runtime}/s.sock"
  interval: 5s
  prometheus:
    - {url: "http://127.0.0.1:9100/metrics", service: web, version: v2, metric: load, labels: {job: web}, kind: cpu}
  policies:
    - {service: web, min: 2, max: 20, strategy: hpa, targets: {cpu_percent: 60, memory_percent: null, rate: 50}, thresholds: {up_percent: 90, down_percent: 40}, up: {cooldown: 2m, step_max: 4}, down: {cooldown: 6m}, periods: 2, target: {process: {command: ["./web", "--port", "{port}"], environment: {MODE: fast}}}}
bus: {publish: "ipc://${runtime}/{tool}.bus", subscribe: ["tcp://10.0.0.2:7000"], curve: {secret_key_file: /etc/nlb/bus.key, allowed_keys_dir: null}}
store: {etcd: {endpoints: ["https://10.0.0.1:2379"], prefix: /test}}
security: {tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem}, api_key_file: key, run_as: nobody}
admin: {address: 127.0.0.1:9000}
log: {level: debug, format: json, access: {file: "-", sample: 0.5}}
tracing: {otlp: "http://127.0.0.1:4318", sample: 0.1}
manager: {url: "https://manager.example", api_key_file: m, ca_file: n}
licensing: {release_mode: true, key_file: l, server: "https://licence.example", enterprise: [canary]}
)";
