#include "tools/nlb-forward/publisher.hpp"

#include <sys/random.h>

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/core/sticky.hpp"
#include "libnlb/rollout/judge.hpp"

namespace nlb::forward {
namespace {

constexpr std::size_t seconds_kept = 10;   // outcomes come later than their attempts: a connect timeout is known seconds after

void put_counts(v1::Histogram& out, const metrics::Histogram& in) {
  for (const auto count : in.counts) out.add_counts(count);
  out.set_sum(in.sum_us);
}

void put(v1::Histogram& out, const metrics::Histogram& in) {
  for (std::size_t i = 0; i + 1 < metrics::histogram_buckets; ++i) out.add_bounds(metrics::bucket_end_us(i) - 1);
  put_counts(out, in);
}

void add(v1::Counters& to, const v1::Counters& from) {
  to.set_attempts(to.attempts() + from.attempts());
  to.set_connect_failures(to.connect_failures() + from.connect_failures());
  to.set_early_resets(to.early_resets() + from.early_resets());
  to.set_empty_answers(to.empty_answers() + from.empty_answers());
  to.set_protocol_errors(to.protocol_errors() + from.protocol_errors());
  to.set_sessions_opened(to.sessions_opened() + from.sessions_opened());
  to.set_sessions_closed(to.sessions_closed() + from.sessions_closed());
  to.set_sessions_active(to.sessions_active() + from.sessions_active());
  to.set_bytes_to_module(to.bytes_to_module() + from.bytes_to_module());
  to.set_bytes_to_client(to.bytes_to_client() + from.bytes_to_client());
  to.set_failing_clients(to.failing_clients() + from.failing_clients());
  to.set_connect_failing_clients(to.connect_failing_clients() + from.connect_failing_clients());
}

route::ServiceState* state_of(const relay::Forwarder& forwarder, const std::string& name) {
  for (const auto& service : forwarder.plan().table->services())
    if (service.name == name) return service.state.get();
  return nullptr;
}

std::uint64_t uptime_second(const relay::Forwarder& forwarder, MonoTime t) {
  return t <= forwarder.started() ? 0 : static_cast<std::uint64_t>((t - forwarder.started()) / 1s);
}

}  // namespace

Publisher::Publisher(std::string forwarder, std::uint64_t started_unix_us) : name_(std::move(forwarder)), started_unix_us_(started_unix_us) {
  [[maybe_unused]] const auto n = getrandom(client_key_.data(), client_key_.size(), 0);
}

void Publisher::Sums::add(const Sums& other) {
  forward::add(counters, other.counters);
  connect += other.connect;
  first_byte += other.first_byte;
  session += other.session;
  answer_bytes += other.answer_bytes;
  halves = halves || other.halves;
  half_attempts += other.half_attempts;
  half_first_byte += other.half_first_byte;
  half_session += other.half_session;
  half_answer_bytes += other.half_answer_bytes;
}

void Publisher::count_modules(relay::Forwarder& forwarder) {
  std::map<VersionKey, std::map<std::uint32_t, Sums>> seen;
  for (const auto& module : forwarder.roster().modules()) {
    const auto& id = module->identity;
    auto& version = versions_[{id.service, id.version}];
    version.protocol = id.protocol;
    version.colour = id.colour;
    Sums sums;
    for (std::size_t w = 0; w < module->workers(); ++w) {
      const auto& cell = module->cell(w);
      auto& c = sums.counters;
      c.set_sessions_opened(c.sessions_opened() + cell.routed.read());
      c.set_connect_failures(c.connect_failures() + cell.connect_failures.read());
      c.set_early_resets(c.early_resets() + cell.early_resets.read());
      c.set_empty_answers(c.empty_answers() + cell.empty_answers.read());
      c.set_protocol_errors(c.protocol_errors() + cell.protocol_errors.read());
      c.set_sessions_closed(c.sessions_closed() + cell.ended.read());
      c.set_bytes_to_module(c.bytes_to_module() + cell.bytes_up.read());
      c.set_bytes_to_client(c.bytes_to_client() + cell.bytes_down.read());
      sums.connect += cell.connect_time.read();
      sums.first_byte += cell.first_byte_time.read();
      sums.session += cell.session_time.read();
      sums.answer_bytes += cell.answer_bytes.read();
      const auto* half = module->half_cell(w);
      if (half == nullptr) continue;
      sums.halves = true;
      sums.half_attempts += half->routed.read() + half->connect_failures.read();
      sums.half_first_byte += half->first_byte_time.read();
      sums.half_session += half->session_time.read();
      sums.half_answer_bytes += half->answer_bytes.read();
    }
    sums.counters.set_attempts(sums.counters.sessions_opened() + sums.counters.connect_failures());
    sums.counters.set_sessions_active(module->active.load(std::memory_order_relaxed));
    sums.counters.set_failing_clients(version.clients_of[module->number].failing);
    sums.counters.set_connect_failing_clients(version.clients_of[module->number].connect_failing);
    seen[{id.service, id.version}][module->number] = std::move(sums);
  }
  for (auto& [key, version] : versions_) {
    auto& now_present = seen[key];
    for (auto& [number, sums] : version.present) {
      if (now_present.contains(number)) continue;
      sums.counters.set_sessions_active(0);
      version.gone.add(sums);
      version.clients_of.erase(number);
    }
    version.present = std::move(now_present);
  }
}

Publisher::Second& Publisher::second_of(Version& version, std::uint64_t second) {
  auto& seconds = version.seconds;
  const auto at = std::find_if(seconds.begin(), seconds.end(), [&](const Second& s) { return s.second >= second; });
  if (at != seconds.end() && at->second == second) return *at;
  return *seconds.insert(at, Second{second});
}

void Publisher::count_failures(relay::Forwarder& forwarder, MonoTime now) {
  for (const auto& failure : forwarder.take_failures()) {
    const auto& id = failure.module->identity;
    auto& version = versions_[{id.service, id.version}];
    const auto second = uptime_second(forwarder, failure.attempted);
    auto& booked = second_of(version, std::max(second, uptime_second(forwarder, now) - std::min<std::uint64_t>(uptime_second(forwarder, now), seconds_kept)));
    ++booked.failures;
    const auto key = siphash(client_key_, failure.client.bytes());
    auto& failing = failing_[id.service];
    auto& of_module = version.clients_of[failure.module->number];
    const bool in_half = in_first_half(failure.client, failure.attempted);
    if (failure.connect) version.refused.push_back(key);
    if (failure.connect && failing.connect.first_failure(key, static_cast<std::int64_t>(second))) {
      ++version.clients.connect_failing;
      ++of_module.connect_failing;
      version.half_clients.connect_failing += in_half;
    }
    if (!failing.any.first_failure(key, static_cast<std::int64_t>(second))) continue;
    ++booked.failing_clients;
    ++version.clients.failing;
    ++of_module.failing;
    version.half_clients.failing += in_half;
  }
}

// A second in which nothing but connect failures happened adds to the row; one success ends it.
void Publisher::count_row(Version& version, const v1::Counters& totals, v1::Traffic& message) {
  if (totals.sessions_opened() > version.opened_before) version.row.succeeded();
  else
    for (const auto client : version.refused) version.row.failed(client);
  version.opened_before = totals.sessions_opened();
  version.refused.clear();
  message.set_connect_failures_in_row(version.row.failures());
  message.set_connect_failing_clients_in_row(version.row.clients());
}

// Every second client's part once more, where a split runs: a judge compares it with the rest.
void Publisher::put_half(const Version& version, const Sums& all, v1::Traffic& message) {
  if (!all.halves) return;
  auto& half = *message.mutable_aa_half();
  half.set_attempts(all.half_attempts);
  half.set_failing_clients(version.half_clients.failing);
  half.set_connect_failing_clients(version.half_clients.connect_failing);
  put_counts(*message.mutable_aa_first_byte_us(), all.half_first_byte);
  put_counts(*message.mutable_aa_session_ms(), all.half_session);
  put_counts(*message.mutable_aa_bytes_to_client(), all.half_answer_bytes);
}

v1::Traffic Publisher::traffic(const VersionKey& key, Version& version, relay::Forwarder& forwarder, MonoTime now) {
  Sums all = version.gone;
  v1::Traffic message;
  for (const auto& module : forwarder.roster().modules()) {
    const auto at = version.present.find(module->number);
    if (at == version.present.end()) continue;
    all.add(at->second);
    auto& out = *message.add_modules();
    out.set_module(module->identity.name);
    *out.mutable_counters() = at->second.counters;
    if (module->usable.load(std::memory_order_relaxed) && !module->leaving.load(std::memory_order_relaxed))
      message.set_places(message.places() + module->max_connections.load(std::memory_order_relaxed));
    out.set_connect_ewma_us(static_cast<std::uint32_t>(module->latency_ns.load(std::memory_order_relaxed) / 1000));
    out.set_ejected(module->ejected(now));
    if (!at->second.halves || version.present.size() > rollout::replicas_tracked_max) continue;   // nobody judges it, or not one by one
    put_counts(*out.mutable_first_byte_us(), at->second.first_byte);
    put_counts(*out.mutable_session_ms(), at->second.session);
    put_counts(*out.mutable_bytes_to_client(), at->second.answer_bytes);
  }
  all.counters.set_failing_clients(version.clients.failing);
  all.counters.set_connect_failing_clients(version.clients.connect_failing);
  const auto second = uptime_second(forwarder, now);
  second_of(version, second).attempts += all.counters.attempts() - version.attempts_before;
  version.attempts_before = all.counters.attempts();
  while (version.seconds.size() > seconds_kept) version.seconds.pop_front();

  message.set_forwarder(name_);
  message.set_service(key.first);
  message.set_version(key.second);
  message.set_colour(version.colour);
  message.set_started_unix_us(started_unix_us_);
  message.set_uptime_ms(static_cast<std::uint64_t>((now - forwarder.started()) / 1ms));
  message.set_sample(sample_);
  message.set_protocol(bus::to_proto(version.protocol));
  *message.mutable_totals() = all.counters;
  count_row(version, all.counters, message);
  put(*message.mutable_connect_us(), all.connect);
  put(*message.mutable_first_byte_us(), all.first_byte);
  put(*message.mutable_session_ms(), all.session);
  put(*message.mutable_bytes_to_client(), all.answer_bytes);
  put_half(version, all, message);
  for (const auto& s : version.seconds) {
    auto& cohort = *message.add_cohorts();
    cohort.set_second(s.second);
    cohort.set_attempts(s.attempts);
    cohort.set_failures(s.failures);
    cohort.set_failing_clients(s.failing_clients);
  }
  if (const auto* service = state_of(forwarder, key.first)) message.set_queue_length(service->queued.load(std::memory_order_relaxed));
  return message;
}

std::uint64_t Publisher::routed(const std::string& service, const std::string& name) const {
  const auto at = versions_.find({service, name});
  if (at == versions_.end()) return 0;
  std::uint64_t sum = at->second.gone.counters.sessions_opened();
  for (const auto& [number, sums] : at->second.present) sum += sums.counters.sessions_opened();
  return sum;
}

// Confirmed only once every worker follows the plan that holds the split; the measured share counts from then on.
v1::Applied Publisher::applied(const std::string& service, const KnownSplit& known, relay::Forwarder& forwarder, MonoTime now) {
  auto& state = in_force_[service];
  if (state.revision != known.split.generation || state.epoch != known.epoch || state.generation == 0)
    state = {known.split.generation, known.epoch, forwarder.plan().generation, now, false, {}};
  if (!state.confirmed && forwarder.plan_in_force() >= state.generation) {
    state.confirmed = true;
    state.since = now;
    for (const auto& part : known.split.versions) state.routed_before[part.version] = routed(service, part.version);
    if (auto* shared = state_of(forwarder, service)) shared->clients.clear();
  }
  v1::Applied message;
  message.set_forwarder(name_);
  message.set_service(service);
  message.set_split_epoch(known.epoch);
  message.set_refused(known.refused);
  if (!state.confirmed) return message;
  message.set_split_revision(known.split.generation);
  message.set_in_force_ms(static_cast<std::uint64_t>((now - state.since) / 1ms));
  if (auto* shared = state_of(forwarder, service)) message.set_clients(shared->clients.clients());
  std::uint64_t total = 0;
  for (const auto& part : known.split.versions) total += routed(service, part.version) - state.routed_before[part.version];
  for (const auto& part : known.split.versions) {
    auto& out = *message.add_parts();
    const auto sessions = routed(service, part.version) - state.routed_before[part.version];
    out.set_version(part.version);
    out.set_weight_per_10000(part.weight);
    out.set_sessions(sessions);
    out.set_measured_share(total == 0 ? 0 : static_cast<double>(sessions) / static_cast<double>(total));
  }
  return message;
}

std::vector<Outgoing> Publisher::collect(relay::Forwarder& forwarder, const Facts& facts, MonoTime now) {
  ++sample_;
  count_failures(forwarder, now);
  count_modules(forwarder);
  std::vector<Outgoing> all;
  for (auto& [key, version] : versions_)
    all.push_back({bus::make_topic("traffic", {name_, key.first, key.second}), traffic(key, version, forwarder, now).SerializeAsString()});
  for (const auto& [service, known] : facts.splits())
    all.push_back({bus::make_topic("applied", {name_, service}), applied(service, known, forwarder, now).SerializeAsString()});
  for (const auto& module : forwarder.roster().modules()) {
    if (module->ejected_total.load() == 0) continue;
    v1::Breaker breaker;
    breaker.set_service(module->identity.service);
    breaker.set_module(module->identity.name);
    breaker.set_forwarder(name_);
    breaker.set_state(module->ejected(now) ? "ejected" : "closed");
    breaker.set_failures_in_row(module->failures.load());
    breaker.set_ejections(static_cast<std::uint32_t>(module->ejected_total.load()));
    all.push_back({bus::make_topic("breakers", {module->identity.service, module->identity.name}), breaker.SerializeAsString()});
  }
  return all;
}

}  // namespace nlb::forward
