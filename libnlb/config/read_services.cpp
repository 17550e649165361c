#include <algorithm>

#include "libnlb/config/sections.hpp"

namespace nlb::config {
namespace {

void read_route(Reader in, Route& out) {
  in.read("listener", out.listener);
  in.read("protocol", out.protocol);
  in.read("sni", out.sni);
  in.read("alpn", out.alpn);
  in.read("http_host", out.http_host);
  in.read("postgres_database", out.postgres_database);
  in.read("postgres_user", out.postgres_user);
  in.read("source", out.source);
  in.read("service", out.service);
}

void read_queue(Reader in, Queue& out) {
  in.read("max", out.sessions_max);
  in.read("timeout", out.timeout);
}

void read_eject(Reader in, Eject& out) {
  in.read("failures", out.failures);
  in.read("for", out.period);
  in.read("max_percent", out.percent_max);
}

void read_service(Reader in, Service& out) {
  in.read("picker", out.picker);
  in.read("sticky", out.sticky);
  auto connect = in.at("connect");
  connect.read("timeout", out.connect_timeout);
  connect.read("tries", out.connect_tries);
  in.read("idle_timeout", out.idle_timeout);
  in.read("half_close", out.half_close);
  in.read("drain_timeout", out.drain_timeout);
  in.read("drain_jitter", out.drain_jitter);
  in.read("slow_start", out.slow_start);
  read_eject(in.at("eject"), out.eject);
  in.at("breaker").read("pending_max", out.breaker_pending_max);
  read_queue(in.at("queue"), out.queue);
  in.read("fallback_versions", out.fallback_versions);
  in.read("zone_preferred", out.zone_preferred);
  if (out.sticky != Sticky::none && out.picker != PickerKind::hash)
    in.problem("sticky", "only the hash picker looks at it, and the picker is " + std::string(name_of(out.picker)) + ": write 'picker: hash' or 'sticky: none'");
}

void judge_limit(const Reader& in, const Limit& limit) {
  if (limit.rate == 0 && limit.connections == 0 && limit.bytes_per_second == 0 && !in.has("rate") && !in.has("connections") && !in.has("bytes_per_second"))
    in.problem("", "limits nothing: it names neither rate nor connections nor bytes_per_second: add one of them");
  if (limit.burst > 0 && limit.rate == 0) in.problem("burst", "has no meaning without a rate: add 'rate: ...' or remove it");
  if (in.has("burst") && limit.rate > 0 && limit.burst < 1) in.problem("burst", "a burst below 1 lets nobody in: write 1 or more");
  if (limit.table_max != Limit{}.table_max && limit.per != LimitPer::client) in.problem("table_max", "only 'per: client' remembers clients: write 'per: client' or remove it");
}

void read_limit(Reader in, Limit& out) {
  in.read("name", out.name);
  in.read("protocol", out.protocol);
  in.read("service", out.service);
  in.read("per", out.per);
  in.read("rate", out.rate);
  out.burst = std::max(out.rate, out.rate > 0 ? 1.0 : 0.0);
  in.read("burst", out.burst);
  in.read("connections", out.connections);
  in.read("bytes_per_second", out.bytes_per_second);
  in.read("table_max", out.table_max);
  in.read("action", out.action);
  read_queue(in.at("queue"), out.queue);
  judge_limit(in, out);
}

void read_health(Reader in, HealthCheck& out) {
  in.read("interval", out.interval);
  out.timeout = std::min(out.timeout, out.interval);
  in.read("timeout", out.timeout);
  in.read("rise", out.rise);
  in.read("fall", out.fall);
  in.read("check", out.check);
  in.read("jitter", out.jitter);
  if (out.timeout > out.interval)
    in.problem("timeout", format_duration(out.timeout) + " is longer than the interval (" + format_duration(out.interval) + "), so checks would pile up: shorten it");
}

void read_relay(Reader in, Relay& out) {
  in.read("splice", out.splice);
  in.read("io_uring", out.io_uring);
  in.read("congestion", out.congestion);
  in.read("pipes_max", out.pipes_max);
}

}  // namespace

void read_services(Reader in, Config& out) {
  in.each("routes", [&](Reader item) { read_route(item, out.routes.emplace_back()); });
  in.read("fallback", out.fallback);
  in.each_named("services", [&](const std::string& name, Reader item) { read_service(item, out.services[name]); });
  in.each("limits", [&](Reader item) { read_limit(item, out.limits.emplace_back()); });
  read_health(in.at("health"), out.health);
  read_relay(in.at("relay"), out.relay);
}

}  // namespace nlb::config
