#include "libnlb/relay/forwarder.hpp"

#include <sched.h>
#include <sys/random.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "libnlb/daemon/log.hpp"
#include "libnlb/relay/pipe_pool.hpp"
#include "libnlb/relay/plan_builder.hpp"
#include "libnlb/relay/ring.hpp"
#include "libnlb/relay/socket.hpp"

namespace nlb::relay {
namespace {

constexpr Duration roster_grace = 60s;   // longer than any worker needs to take up a new plan

std::vector<int> usable_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  return cpus.empty() ? std::vector<int>{-1} : cpus;
}

template <class T>
T random_value() {
  T value{};
  [[maybe_unused]] const auto n = getrandom(&value, sizeof value, 0);
  return value;
}

// Nothing is wrong without it: many hosts and most containers forbid io_uring.
bool try_ring() {
  const auto works = ring_works();
  if (!works) daemon::log::info(works.error().text, {{"instead", "every chunk is sent by itself"}});
  return works.has_value();
}

std::size_t worker_count(const ForwarderOptions& options) { return options.workers != 0 ? options.workers : usable_cpus().size(); }

}  // namespace

Forwarder::Forwarder(const ForwarderOptions& options, daemon::ControlLoop& loop)
    : options_(options), loop_(loop), shared_(random_value<SipKey>()), roster_(worker_count(options)), listeners_(workers_, options.hold, options.processes == 1), started_(std::chrono::steady_clock::now()) {}

Result<std::unique_ptr<Forwarder>> Forwarder::start(const config::Config& config, const ForwarderOptions& options, daemon::ControlLoop& loop,
                                                    std::vector<ListeningSockets> inherited) {
  std::unique_ptr<Forwarder> forwarder(new Forwarder(options, loop));
  const auto cpus = usable_cpus();
  const std::size_t count = worker_count(options);
  const bool splice = config.relay.splice == config::Splice::automatic && splice_works();
  if (!splice && config.relay.splice == config::Splice::automatic) daemon::log::warning("splice does not work here: copying");
  const bool io_uring = config.relay.io_uring == config::IoUring::automatic && try_ring();
  const auto seed = random_value<std::uint64_t>();
  for (std::size_t i = 0; i < count; ++i) {
    const int cpu = count <= cpus.size() ? cpus[(options.process * count + i) % cpus.size()] : -1;
    forwarder->workers_.push_back(std::make_unique<Worker>(
        WorkerSetup{i, count, cpu, splice, io_uring, config.relay.pipes_max, seed, options.access_log, &forwarder->shared_}));
  }
  for (auto& worker : forwarder->workers_) {
    std::vector<Worker*> peers;
    for (auto& peer : forwarder->workers_)
      if (peer != worker) peers.push_back(peer.get());
    worker->set_peers(std::move(peers));
  }
  if (auto swapped = forwarder->swap(config, std::move(inherited)); !swapped) return tl::unexpected(swapped.error());
  for (auto& worker : forwarder->workers_) forwarder->threads_.emplace_back([w = worker.get()] { w->run(); });
  forwarder->collect_timer_ = loop.every(10s, [f = forwarder.get()] { f->collect(); });
  return forwarder;
}

Forwarder::~Forwarder() {
  for (auto& worker : workers_) worker->post([w = worker.get()] { w->stop(); });
  for (auto& thread : threads_) thread.join();
}

Result<> Forwarder::reload(const config::Config& config) { return swap(config, {}); }

std::uint64_t Forwarder::plan_in_force() const {
  std::uint64_t oldest = plan_->generation;
  for (const auto& worker : workers_) oldest = std::min(oldest, worker->plan_in_force());
  return oldest;
}

std::vector<Failure> Forwarder::take_failures() {
  failures_taken_ = std::chrono::steady_clock::now();
  std::vector<Failure> all;
  for (auto& worker : workers_) {
    auto some = worker->take_failures();
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

// Failures that nobody asks for (without a bus) would keep their modules for ever.
void Forwarder::collect() {
  const auto now = std::chrono::steady_clock::now();
  if (now - failures_taken_ >= roster_grace) take_failures();
  roster_.collect(now, roster_grace);
}

Result<> Forwarder::set_remote(Remote remote) {
  std::erase_if(remote.modules, [](registry::Module& module) {
    auto resolved = resolve(module.data);
    if (resolved) module.data = *resolved;
    else daemon::log::warning(resolved.error().text, {{"module", module.name}});
    return !resolved;
  });
  return replace(remote_, std::move(remote));
}

std::vector<registry::Module> Forwarder::own_modules() const { return to_table_input(config_).modules; }

Result<> Forwarder::set_checked(Checked checked) { return replace(checked_, std::move(checked)); }

template <class Word>
Result<> Forwarder::replace(Word& word, Word fresh) {
  std::swap(word, fresh);
  auto plan = build_plan();
  if (!plan) {
    std::swap(word, fresh);
    return tl::unexpected(plan.error());
  }
  plan_ = *plan;
  publish();
  return {};
}

// All or nothing: sockets are opened first, then the plan is built; only then does anything change.
Result<> Forwarder::swap(const config::Config& config, std::vector<ListeningSockets> inherited) {
  auto before = std::exchange(config_, config);
  const auto undo = [&](const Error& error) {
    config_ = std::move(before);
    return tl::unexpected(error);
  };
  for (auto& module : config_.modules) {
    auto resolved = resolve(module.address);
    if (!resolved) return undo(resolved.error());
    module.address = *resolved;
  }
  if (auto opened = listeners_.prepare(config_.listen, std::move(inherited)); !opened) return undo(opened.error());
  auto plan = build_plan();
  if (!plan) {
    listeners_.abandon();
    return undo(plan.error());
  }
  plan_ = *plan;
  publish();
  listeners_.commit();
  return {};
}

Result<std::shared_ptr<const Plan>> Forwarder::build_plan() {
  const auto now = std::chrono::steady_clock::now();
  auto plan = std::make_shared<Plan>();
  auto input = to_table_input(config_);
  for (auto& module : input.modules)
    if (const auto known = checked_.find(registry::module_id(module.key())); known != checked_.end()) module.state = known->second;
  input.generation = plan->generation = ++generation_;
  plan->version_ends = remote_.version_ends;
  input.modules.insert(input.modules.end(), remote_.modules.begin(), remote_.modules.end());
  input.splits = remote_.splits;
  for (const auto& [service, name] : remote_.ejected)
    for (auto& module : input.modules)
      if (module.service == service && module.name == name) module.weight = 0;
  for (const auto& listening : listeners_.all()) {
    input.listeners.push_back(listening.options.name);
    const auto& options = listening.options;
    ListenerPlan listener{options, listening.live, options.protocol && speaks_first(*options.protocol), 0, 0};
    const auto parts = workers_.size() * options_.processes;
    const auto share = [&](std::uint64_t all) { return std::max<std::uint64_t>(1, (all + parts - 1) / parts); };
    listener.unfinished_max = static_cast<std::uint32_t>(share(options.detect.unfinished_max));
    listener.sessions_max = share(options.sessions_max);
    plan->listeners.push_back(std::move(listener));
  }
  auto table = route::Table::build(std::move(input), roster_, now);
  if (!table) return tl::unexpected(table.error());
  plan->table = *table;
  for (const auto& warning : plan->table->warnings()) daemon::log::warning(warning);

  std::vector<limit::Rule> rules;
  for (const auto& limit : config_.limits) rules.push_back(share_of(to_rule(limit), options_.processes));
  std::vector<std::string> names;
  for (const auto& service : plan->table->services()) names.push_back(service.name);
  auto limits = limit::LimitSet::build(std::move(rules), names, now, plan_ ? plan_->limits.get() : nullptr, random_value<std::uint64_t>());
  if (!limits) return tl::unexpected(limits.error());
  plan->limits = *limits;

  for (const auto& service : plan->table->services()) plan->service_numbers.push_back(service_number(service.name));
  plan->services.resize(service_names_.size());
  for (std::size_t i = 0; i < service_names_.size(); ++i) {
    auto& service = plan->services[i];
    service.name = service_names_[i];
    service.route = plan->table->find_service(service.name);
    if (service.route == nullptr) continue;
    service.idle_ms = static_cast<Tick>(std::min<Duration>(service.route->options.idle_timeout, 20 * 24h) / 1ms);
    service.half_close_full = service.route->options.half_close_full;
  }
  plan->relay = config_.relay;
  plan->access_sample = config_.log.access.sample;
  return std::shared_ptr<const Plan>(std::move(plan));
}

std::uint16_t Forwarder::service_number(const std::string& name) {
  const auto [it, fresh] = service_numbers_.try_emplace(name, static_cast<std::uint16_t>(service_names_.size()));
  if (fresh) service_names_.push_back(name);
  return it->second;
}

void Forwarder::publish() {
  for (auto& worker : workers_) worker->post([w = worker.get(), plan = plan_] { w->set_plan(plan); });
}

void Forwarder::drain(Duration timeout, std::function<void()> done, const std::vector<std::string>& elsewhere) {
  listeners_.retire_all(elsewhere);
  for (auto& worker : workers_) worker->post([w = worker.get(), timeout] { w->drain_all(timeout, Duration::zero()); });
  // The first look comes after the listeners' last handshakes.
  drain_timer_ = loop_.after(300ms, [this, done = std::move(done)]() mutable { watch_drain(std::move(done)); });
}

void Forwarder::watch_drain(std::function<void()> done) {
  if (open_sessions() == 0) return done();
  drain_timer_ = loop_.after(20ms, [this, done = std::move(done)]() mutable { watch_drain(std::move(done)); });
}

std::uint64_t Forwarder::open_sessions() const {
  std::uint64_t open = 0;
  for (const auto& worker : workers_) open += worker->counters().open.load(std::memory_order_relaxed);
  return open;
}

}  // namespace nlb::relay
