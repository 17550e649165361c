#include <algorithm>
#include <array>

#include "libnlb/config/sections.hpp"

namespace nlb::config {
namespace {

void read_registry(Reader in, Registry& out) {
  in.read("grpc", out.grpc);
  in.read("modules_per_protocol_max", out.modules_per_protocol_max);
  in.read("modules_per_caller_max", out.modules_per_caller_max);
  in.read("modules_max", out.modules_max);
  in.read("connections_per_module_max", out.connections_per_module_max);
  in.read("lease", out.lease);
  in.read("allow_addresses", out.allow_addresses);
}

void read_deploy(Reader in, Deploy& out) {
  in.read("grpc", out.grpc);
  auto judge = in.at("judge");
  judge.read("alpha", out.judge.alpha);
  judge.read("tolerated_ratio", out.judge.tolerated_ratio);
  in.read("keep_warm", out.keep_warm);
}

void read_exec(Reader in, ScaleTarget& out) {
  in.read("command", out.command);
  in.read("environment", out.environment);
  if (out.command.empty()) in.problem("command", "missing: there is nothing to start: add 'command: [program, argument, ...]'");
}

void read_process(Reader in, ScaleTarget& out) {
  read_exec(in, out);
  in.read("ready_by_port", out.ready_by_port);
  in.read("log_bytes_max", out.log_bytes_max);
}

void read_docker(Reader in, ScaleTarget& out) {
  in.read("image", out.image);
  in.read("command", out.command);
  in.read("socket", out.socket);
  in.read("network", out.network);
  in.read("environment", out.environment);
  if (out.image.empty()) in.problem("image", "missing: there is nothing to start: add 'image: ...'");
}

void read_kubernetes(Reader in, ScaleTarget& out) {
  in.read("url", out.url);
  in.read("namespace", out.name_space);
  in.read("name", out.name);
  in.read("token_file", out.token_file);
  in.read("ca_file", out.ca_file);
  in.read("take_over", out.take_over);
}

struct TargetKind { std::string_view name; void (*read)(Reader, ScaleTarget&); };
constexpr std::array<TargetKind, 4> target_kinds = {
    {{"process", read_process}, {"docker", read_docker}, {"kubernetes", read_kubernetes}, {"exec", read_exec}}};

void second_target(const Reader& in, std::string_view key, const ScaleTarget& first) {
  in.problem(key, "a second target: replicas have one place to run, and '" + first.kind + "' is there already: remove one");
}

void read_target(Reader in, ScaleTarget& out) {
  bool found = false;
  for (const auto& kind : target_kinds) {
    if (!in.has(kind.name)) continue;
    if (found) {
      second_target(in, kind.name, out);
      continue;
    }
    found = true;
    out.kind = kind.name;
    kind.read(in.at(kind.name), out);
  }
  bool observe = !found;
  in.read("observe", observe);
  if (observe && found) second_target(in, "observe", out);
  if (!observe && !found) in.problem("observe", "no target is left: it says false and nothing else is there: write process, docker, kubernetes or exec");
}

void read_direction(Reader in, ScaleDirection& out) {
  in.read("cooldown", out.cooldown);
  in.read("step_max", out.step_max);
}

void read_targets(Reader in, ScalePolicy& out) {
  in.read_or_off("cpu_percent", out.cpu_percent);
  in.read_or_off("memory_percent", out.memory_percent);
  in.read_or_off("connections", out.connections);
  in.read_or_off("rate", out.rate);
  if (out.cpu_percent == 0 && out.memory_percent == 0 && out.connections == 0 && out.rate == 0)
    in.problem("", "no target is left: nothing could be decided: keep at least one");
}

void read_thresholds(Reader in, ScalePolicy& out) {
  in.read("up_percent", out.up_percent);
  in.read("down_percent", out.down_percent);
  if (out.down_percent >= out.up_percent)
    in.problem(in.has("down_percent") ? "down_percent" : "up_percent",
               "the thresholds cross: down at " + std::to_string(static_cast<int>(out.down_percent)) + " % isn't below up at " +
                   std::to_string(static_cast<int>(out.up_percent)) + " %, so replicas would come and go without end: lower down_percent");
}

void read_policy(Reader in, ScalePolicy& out) {
  in.read("service", out.service);
  in.read("version", out.version);
  in.read("min", out.min);
  in.read("max", out.max);
  in.read("strategy", out.strategy);
  read_targets(in.at("targets"), out);
  read_thresholds(in.at("thresholds"), out);
  in.read("periods", out.periods);
  read_direction(in.at("up"), out.up);
  read_direction(in.at("down"), out.down);
  read_target(in.at("target"), out.target);
  if (out.min > out.max)
    in.problem(in.has("min") ? "min" : "max", "min " + std::to_string(out.min) + " is above max " + std::to_string(out.max) + ": raise max or lower min");
}

void read_exporter(Reader in, ScaleExporter& out) {
  in.read("url", out.url);
  in.read("service", out.service);
  in.read("version", out.version);
  in.read("metric", out.metric);
  in.read("labels", out.labels);
  in.read("kind", out.kind);
  if (in.has("url") && !out.url.starts_with("http://")) in.problem("url", "'" + out.url + "' isn't http://host:port/path: only plain HTTP is read");
}

void read_bus(Reader in, Bus& out) {
  in.read("name", out.name);
  const bool printable = std::all_of(out.name.begin(), out.name.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
  if (!printable || out.name.size() > 200) in.problem("name", "'" + out.name + "' is no name: printable, without spaces and slashes, up to 200 characters");
  in.read("publish", out.publish);
  in.read("subscribe", out.subscribe);
  auto curve = in.at("curve");
  curve.read("secret_key_file", out.curve_secret_key_file);
  curve.read("allowed_keys_dir", out.curve_allowed_keys_dir);
  curve.read("server_key_file", out.curve_server_key_file);
}

void read_store(Reader in, Store& out) {
  auto etcd = in.at("etcd");
  etcd.read("endpoints", out.etcd_endpoints);
  etcd.read("prefix", out.etcd_prefix);
  etcd.read("lease", out.etcd_lease);
  if (!out.etcd_endpoints.empty()) out.sqlite.clear();
  in.read("sqlite", out.sqlite);
  if (in.has("sqlite") && !out.etcd_endpoints.empty()) in.problem("etcd", "two stores: facts have one home: remove 'sqlite' or 'etcd'");
  if (in.has("etcd") && !etcd.has("endpoints")) etcd.problem("endpoints", "missing: etcd has no default address: add 'endpoints: [https://host:2379]'");
}

}  // namespace

void read_control(Reader in, Config& out) {
  read_registry(in.at("registry"), out.registry);
  read_deploy(in.at("deploy"), out.deploy);
  auto scale = in.at("scale");
  scale.read("grpc", out.scale.grpc);
  scale.read("interval", out.scale.interval);
  scale.each("policies", [&](Reader item) { read_policy(item, out.scale.policies.emplace_back()); });
  scale.each("prometheus", [&](Reader item) { read_exporter(item, out.scale.prometheus.emplace_back()); });
  read_bus(in.at("bus"), out.bus);
  read_store(in.at("store"), out.store);
}

}  // namespace nlb::config
