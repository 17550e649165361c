// A controller, a store and scripted forwarders under a simulated clock: the bus is a map, a second is a call. A forwarder applies the
// newest split whose epoch isn't smaller than the greatest it has seen, routes its clients by the weights, and reports as bus.proto says.
#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <string>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/deploy/controller.hpp"
#include "libnlb/rollout/load.hpp"
#include "libnlb/store/memory.hpp"

namespace nlb::deploy::test {

struct Behaviour { double failing = 0.001; bool refuses = false; };   // share of attempts that fail; every connect is refused

class ScriptedForwarder {
 public:
  explicit ScriptedForwarder(std::string name, std::uint64_t rate = 500) : name_(std::move(name)), rate_(rate), rng_(name_hash(name_)) {}

  void take(const v1::Split& split, std::uint64_t epoch) {
    if (epoch < epoch_ || (epoch == epoch_ && split.revision() < split_.revision())) {
      ++refused;
      return;
    }
    if (epoch != epoch_ || split.revision() != split_.revision()) since_apply_.clear();
    epoch_ = epoch;
    split_ = split;
  }

  // One second of traffic; then what it says on the bus.
  std::map<std::string, std::string> second(const std::map<std::string, Behaviour>& versions) {
    ++sample_;
    std::map<std::string, std::string> said;
    std::uint64_t left = rate_;
    const auto parts = parts_here();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto& [version, weight] = parts[i];
      const auto attempts = i + 1 == parts.size() ? left : rollout::binomial(rng_, rate_, weight / 10000.0);
      left -= std::min(left, attempts);
      route(version, attempts, versions.contains(version) ? versions.at(version) : Behaviour{});
    }
    for (const auto& [version, behaviour] : versions) said[bus::make_topic("traffic", {name_, "web", version})] = traffic(version);
    if (epoch_ > 0) said[bus::make_topic("applied", {name_, "web"})] = applied();
    return said;
  }

  std::uint32_t weight_of(const std::string& version) const {
    for (const auto& [name, weight] : parts_here())
      if (name == version) return weight;
    return 0;
  }
  const std::string& name() const { return name_; }
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t canary_failures(const std::string& version) const { return totals_.contains(version) ? totals_.at(version).failing_clients() : 0; }
  std::uint64_t refused = 0;
  bool deaf = false;            // doesn't hear splits
  bool silent = false;          // says nothing

 private:
  std::vector<std::pair<std::string, std::uint32_t>> parts_here() const {
    const auto read = [](const auto& parts) {
      std::vector<std::pair<std::string, std::uint32_t>> all;
      for (auto i = parts.rbegin(); i != parts.rend(); ++i) all.emplace_back(i->version(), i->weight_per_10000());
      return all;   // the canary first, stable gets the rest
    };
    for (const auto& site : split_.sites())
      if (rollout::belongs_to_site(name_, site.site())) return read(site.parts());
    return read(split_.parts());
  }
  void route(const std::string& version, std::uint64_t attempts, const Behaviour& behaviour) {
    auto& totals = totals_[version];
    const auto bad = behaviour.refuses ? attempts : rollout::binomial(rng_, attempts, behaviour.failing);
    totals.set_attempts(totals.attempts() + attempts);
    totals.set_failing_clients(totals.failing_clients() + bad);
    if (behaviour.refuses) {
      totals.set_connect_failures(totals.connect_failures() + bad);
      in_row_[version] += static_cast<std::uint32_t>(bad);
    } else {
      totals.set_protocol_errors(totals.protocol_errors() + bad);
      if (attempts > 0) in_row_[version] = 0;
    }
    since_apply_[version] += attempts;
  }
  std::string traffic(const std::string& version) {
    v1::Traffic message;
    message.set_forwarder(name_);
    message.set_service("web");
    message.set_version(version);
    message.set_started_unix_us(7);
    message.set_sample(sample_);
    message.set_protocol(v1::PROTOCOL_HTTP);
    *message.mutable_totals() = totals_[version];
    for (const auto* replica : {"-1", "-2"}) {   // two replicas that share the load and the failures
      auto& module = *message.add_modules();
      module.set_module(version + replica);
      module.mutable_counters()->set_attempts(totals_[version].attempts() / 2);
      module.mutable_counters()->set_failing_clients(totals_[version].failing_clients() / 2);
    }
    message.set_connect_failures_in_row(in_row_[version]);
    message.set_connect_failing_clients_in_row(std::min(3u, in_row_[version]));
    return message.SerializeAsString();
  }
  std::string applied() {
    v1::Applied message;
    message.set_forwarder(name_);
    message.set_service("web");
    message.set_split_epoch(epoch_);
    message.set_split_revision(split_.revision());
    std::uint64_t all = 0;
    for (const auto& [version, weight] : parts_here()) {
      auto& part = *message.add_parts();
      part.set_version(version);
      part.set_weight_per_10000(weight);
      part.set_sessions(since_apply_[version]);
      all += since_apply_[version];
    }
    message.set_clients(all);   // every session is a client of its own
    return message.SerializeAsString();
  }

  std::string name_;
  std::uint64_t rate_, sample_ = 0, epoch_ = 0;
  Rng rng_;
  v1::Split split_;
  std::map<std::string, v1::Counters> totals_;
  std::map<std::string, std::uint64_t> since_apply_;
  std::map<std::string, std::uint32_t> in_row_;
};

// A store whose process dies at the n-th change: before it is on the disk, or right after.
struct Crash {};
class CrashingStore : public store::Store {
 public:
  explicit CrashingStore(store::Store& inner) : inner_(inner) {}
  std::size_t commits = 0;
  std::optional<std::size_t> crash_at;
  bool after = false;             // the change is durable, but nobody learned of it
  bool full = false;              // refuses every change

  Result<std::optional<store::Entry>> get(const std::string& key) override { return inner_.get(key); }
  Result<store::Entries> range(const std::string& prefix) override { return inner_.range(prefix); }
  Result<store::Committed> commit(const store::Transaction& transaction) override {
    if (full) return fail(ErrorKind::unavailable, "the disk is full");
    const bool now = crash_at && ++commits == *crash_at;
    if (now && !after) throw Crash{};
    auto done = inner_.commit(transaction);
    if (now) throw Crash{};
    return done;
  }
  Result<store::Lease> grant(Duration ttl, store::AfterRestart after_restart) override { return inner_.grant(ttl, after_restart); }
  Result<store::Lease> keep_alive(store::LeaseId lease) override { return inner_.keep_alive(lease); }
  Result<> revoke(store::LeaseId lease) override { return inner_.revoke(lease); }
  Result<std::unique_ptr<store::Watch>> watch(const std::string& prefix, store::Revision from) override { return inner_.watch(prefix, from); }
  Result<> compact(store::Revision before) override { return inner_.compact(before); }
  Result<std::vector<store::JournalRecord>> journal(std::uint64_t from, std::size_t max) override { return inner_.journal(from, max); }
  Result<> trim_journal(std::uint64_t before) override { return inner_.trim_journal(before); }

 private:
  store::Store& inner_;
};

class World {
 public:
  World() : memory(store::make_memory_store([this] { return now; })), store(*memory) {}

  void open(std::optional<store::Condition> fence = {}) {
    controller.reset();
    Settings settings;
    settings.judge.signals = rollout::default_signals();
    settings.epoch = ++epoch;
    settings.fence = std::move(fence);
    settings.random = [this] { return ++salt; };
    settings.wall = [this] { return WallTime(now.time_since_epoch()); };
    settings.keep_warm = std::chrono::seconds(60);
    auto opened = Controller::open(store, settings, outlet(epoch), now);
    if (!opened) FAIL(opened.error().text);
    controller = std::move(*opened);
    for (const auto& [topic, payload] : bus) hear(topic, payload);   // a new subscriber gets snapshots
  }
  Outlet outlet(std::uint64_t as) {
    return {[this, as](const std::string& topic, const std::string& payload) { publish(topic, payload, as); },
            [this](const std::string& topic) { published.erase(topic); },
            [this](const std::string&, const std::string& text) { announced.push_back(text); }};
  }
  void publish(const std::string& topic, const std::string& payload, std::uint64_t as) {
    const bool last = crash_at_message && ++messages == *crash_at_message;
    if (last && !after_message) throw Crash{};
    deliver(topic, payload, as);
    if (last) throw Crash{};
  }
  void deliver(const std::string& topic, const std::string& payload, std::uint64_t as) {
    published[topic] = payload;
    if (topic != "splits/web") return;
    v1::Split split;
    REQUIRE(split.ParseFromString(payload));
    for (auto& forwarder : forwarders)
      if (!forwarder.deaf) forwarder.take(split, as);
  }
  void hear(const std::string& topic, const std::string& payload) {
    controller->hear({bus::Change::Kind::put, topic, std::make_shared<const std::string>(payload), 1, 1, now}, now);
  }
  Result<> second() {
    now += std::chrono::seconds(1);
    for (auto& forwarder : forwarders) {
      if (forwarder.silent) continue;
      for (auto& [topic, payload] : forwarder.second(versions)) {
        hear(topic, payload);
        bus[topic] = payload;
      }
    }
    return controller->tick(now);
  }
  std::string phase() const { return controller->get("web", now)->split().phase(); }
  // Seconds until the phase, or -1.
  int run_until(const std::string& wanted, int limit) {
    for (int i = 0; i < limit; ++i) {
      if (phase() == wanted) return i;
      (void)second();
    }
    return phase() == wanted ? limit : -1;
  }
  v1::CommandHead head(const std::string& id) const {
    v1::CommandHead made;
    made.set_request_id(id);
    return made;
  }
  v1::CommandReply init(const std::string& stable = "v1") {
    v1::InitRequest request;
    *request.mutable_head() = head("init");
    request.set_service("web");
    request.set_stable_version(stable);
    return *controller->init(request, now);
  }
  v1::StartCanaryRequest canary(const std::string& id, std::vector<std::uint32_t> steps, std::uint32_t every_ms) const {
    v1::StartCanaryRequest request;
    *request.mutable_head() = head(id);
    request.set_service("web");
    request.set_to_version("v2");
    for (const auto step : steps) request.add_steps_per_10000(step);
    request.set_every_ms(every_ms);
    request.set_delta(0.05);
    return request;
  }

  MonoTime now{std::chrono::hours(1)};
  std::uint64_t epoch = 0, salt = 0;
  std::unique_ptr<store::Store> memory;
  CrashingStore store;
  std::unique_ptr<Controller> controller;
  std::vector<ScriptedForwarder> forwarders;
  std::map<std::string, Behaviour> versions{{"v1", {}}, {"v2", {}}};
  std::map<std::string, std::string> published, bus;
  std::vector<std::string> announced;
  std::size_t messages = 0;                       // since crash_at_message was set
  std::optional<std::size_t> crash_at_message;    // the process dies at this one: before it is sent, or right after
  bool after_message = false;
};

}  // namespace nlb::deploy::test
