#include "libnlb/limit/limits.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "libnlb/limit/ledger.hpp"

namespace nlb::limit {
namespace {

struct Check {                     // one rule as one class of sessions meets it
  std::shared_ptr<Meter> meter;
  Rate sessions;
  std::uint64_t connections = 0;
  bool held = false;               // open sessions are counted
  std::uint16_t rule = 0;
  std::uint32_t place = 0;         // per client: index into ClientEntry::slots
};

struct Class {                     // all sessions of one protocol and service
  std::vector<Check> clients, shared;
  std::uint32_t hold = 0;
};

struct ByteRate {
  std::shared_ptr<Meter> meter;
  Rate rate;
};

bool counts_open(const Rule& rule) { return rule.connections > 0 || rule.bytes_per_second > 0; }
Rate session_rate(const Rule& rule) { return {rule.rate, rule.burst > 0 ? rule.burst : rule.rate}; }
// A tenth of a second of bytes at once, but never less than one full read of the relay's buffer: pauses stay short and
// few.
Rate byte_rate(const Rule& rule) {
  const auto rate = static_cast<double>(rule.bytes_per_second);
  return {rate, std::max(rate / 10, 65536.0)};
}

Result<> check_rules(const std::vector<Rule>& rules) {
  std::set<std::string_view> names;
  std::size_t per_client = 0;
  for (const Rule& rule : rules) {
    if (rule.name.empty()) return fail(ErrorKind::config, "a limit has no name: give every limit a name of its own");
    if (!names.insert(rule.name).second)
      return fail(ErrorKind::config, "limit '" + rule.name + "' is defined twice: give every limit a name of its own");
    if (!(rule.rate > 0) && !counts_open(rule))
      return fail(ErrorKind::config, "limit '" + rule.name + "' limits nothing: set rate, connections or bytes_per_second");
    per_client += rule.per == Per::client;
  }
  if (per_client > LimitSet::client_rules_max)
    return fail(ErrorKind::config, std::to_string(per_client) + " limits are per client: at most " +
                                       std::to_string(LimitSet::client_rules_max) + " are possible");
  return {};
}

void give_back(const Check& check, Meter& meter) {
  if (check.sessions.limited()) check.sessions.give_back(meter.sessions);
  if (check.held) meter.open.fetch_sub(1, std::memory_order_relaxed);
}

Reason ask(const Check& check, MonoTime now) {
  Meter& meter = *check.meter;
  if (check.held && !meter.open_one(check.connections)) return Reason::connections;
  if (!check.sessions.limited() || check.sessions.take(meter.sessions, now)) return Reason::none;
  if (check.held) meter.open.fetch_sub(1, std::memory_order_relaxed);
  return Reason::rate;
}

Reason ask(const Check& check, ClientSlot& slot, MonoTime now) {
  if (check.connections > 0 && slot.open >= check.connections) return Reason::connections;
  if (check.sessions.limited() && !check.sessions.take(slot.sessions, now)) return Reason::rate;
  slot.open += check.held;
  return Reason::none;
}

void give_back(const Check& check, ClientSlot& slot) {
  if (check.sessions.limited()) check.sessions.give_back(slot.sessions);
  slot.open -= check.held;
}

void count_denied(Meter& meter, Reason reason) {
  (reason == Reason::rate ? meter.denied_rate : meter.denied_connections).fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

struct LimitSet::Parts {
  struct Row {
    std::size_t rule;
    std::string of;
    std::shared_ptr<Meter> meter;
    Rate sessions;
    const std::atomic<std::uint64_t>* open;
  };
  std::shared_ptr<Ledger> ledger;
  std::shared_ptr<ClientTable> clients;
  std::vector<std::uint64_t> services;             // sorted hashes that rules name; class 0 of a protocol is every other service
  std::vector<Class> classes;                      // protocol x (services + 1)
  std::vector<std::shared_ptr<const Hold>> holds;  // of the ledger, as of this build
  std::vector<std::vector<ByteRate>> byte_rates;   // by hold
  std::array<Rate, client_rules_max> client_bytes;
  std::vector<Row> rows;

  const Class& class_of(const Subject& subject) const {
    std::size_t service = 0;
    if (!services.empty()) {
      const auto at = std::lower_bound(services.begin(), services.end(), subject.service);
      if (at != services.end() && *at == subject.service) service = static_cast<std::size_t>(at - services.begin()) + 1;
    }
    return classes[static_cast<std::size_t>(subject.protocol) * (services.size() + 1) + service];
  }
  void name_services(const std::vector<Rule>& rules, const std::vector<std::string>& known);
  void make_classes(const std::vector<Rule>& rules, const std::vector<std::string>& known, MonoTime now);
  void add_client_rule(const Rule& rule, std::uint16_t index, std::uint32_t place, MonoTime now);
  void add_shared_rule(const Rule& rule, std::uint16_t index, const std::vector<std::string>& known, MonoTime now);
  void add_meter(const Rule& rule, std::uint16_t index, const std::string& of, std::optional<Protocol> protocol,
                 std::optional<std::uint64_t> service, MonoTime now);
  template <class Add>
  void for_classes(std::optional<Protocol> protocol, std::optional<std::uint64_t> service, Add add);
  void make_holds();
  void make_byte_rates(const std::vector<Rule>& rules);

  // The meter of the rule that denied, or none.
  Meter* admit_client(const Class& of, const Subject& subject, MonoTime now, Admission& answer) const;
  Meter* admit_shared(const Class& of, MonoTime now, Admission& answer) const;
  void undo_client(const Class& of, const Subject& subject, MonoTime now, const Ticket& ticket) const;
};

LimitSet::LimitSet() : parts_(std::make_unique<Parts>()) {}
LimitSet::~LimitSet() = default;

Result<std::shared_ptr<const LimitSet>> LimitSet::build(std::vector<Rule> rules, const std::vector<std::string>& services, MonoTime now,
                                                        const LimitSet* previous, std::uint64_t seed) {
  if (auto good = check_rules(rules); !good) return tl::unexpected(good.error());
  std::shared_ptr<LimitSet> set(new LimitSet());
  Parts& parts = *set->parts_;
  parts.ledger = previous ? previous->parts_->ledger : std::make_shared<Ledger>(seed);
  parts.name_services(rules, services);
  parts.make_classes(rules, services, now);
  parts.make_holds();
  parts.make_byte_rates(rules);
  set->limits_bytes_ = std::any_of(rules.begin(), rules.end(), [](const Rule& r) { return r.bytes_per_second > 0; });
  set->rules_ = std::move(rules);
  return set;
}

void LimitSet::Parts::name_services(const std::vector<Rule>& rules, const std::vector<std::string>& known) {
  std::set<std::uint64_t> named;
  for (const Rule& rule : rules) {
    if (rule.service) named.insert(name_hash(*rule.service));
    else if (rule.per == Per::service)
      for (const auto& service : known) named.insert(name_hash(service));
  }
  services.assign(named.begin(), named.end());
  classes.resize(protocol_count * (services.size() + 1));
}

void LimitSet::Parts::make_classes(const std::vector<Rule>& rules, const std::vector<std::string>& known, MonoTime now) {
  std::vector<std::string> per_client;
  std::uint32_t table_max = 0;
  for (const Rule& rule : rules)
    if (rule.per == Per::client) {
      per_client.push_back(rule.name);
      table_max = std::max(table_max, rule.table_max);
    }
  if (!per_client.empty()) ledger->reserve_clients(table_max);
  clients = ledger->clients();
  const auto places = ledger->client_places(per_client);
  std::size_t nth_client = 0;
  for (std::uint16_t i = 0; i < rules.size(); ++i)
    if (rules[i].per == Per::client) add_client_rule(rules[i], i, places[nth_client++], now);
    else add_shared_rule(rules[i], i, known, now);
}

template <class Add>
void LimitSet::Parts::for_classes(std::optional<Protocol> protocol, std::optional<std::uint64_t> service, Add add) {
  const auto width = services.size() + 1;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (protocol && static_cast<std::size_t>(*protocol) != i / width) continue;
    if (service && (i % width == 0 || services[i % width - 1] != *service)) continue;
    add(classes[i]);
  }
}

void LimitSet::Parts::add_client_rule(const Rule& rule, std::uint16_t index, std::uint32_t place, MonoTime now) {
  const auto sessions = session_rate(rule), bytes = byte_rate(rule);
  ledger->set_client_rates(place, sessions, bytes, now);
  auto meter = ledger->meter("client\n" + rule.name, {}, {}, now);
  client_bytes[place] = bytes;
  rows.push_back({index, "client", meter, {}, &ledger->client_open[place]});
  const auto service = rule.service ? std::optional(name_hash(*rule.service)) : std::nullopt;
  for_classes(rule.protocol, service, [&](Class& c) {
    c.clients.push_back({meter, sessions, rule.connections, counts_open(rule), index, place});
  });
}

void LimitSet::Parts::add_shared_rule(const Rule& rule, std::uint16_t index, const std::vector<std::string>& known, MonoTime now) {
  const auto service = rule.service ? std::optional(name_hash(*rule.service)) : std::nullopt;
  if (rule.per == Per::protocol && !rule.protocol) {
    for (std::size_t p = 0; p < protocol_count; ++p)
      add_meter(rule, index, std::string(protocol_names[p]), static_cast<Protocol>(p), service, now);
  } else if (rule.per == Per::service && !rule.service) {
    const std::set<std::string> each(known.begin(), known.end());
    for (const auto& name : each) add_meter(rule, index, name, rule.protocol, name_hash(name), now);
  } else {
    add_meter(rule, index, rule.per == Per::service ? *rule.service : std::string(to_string(*rule.protocol)), rule.protocol, service, now);
  }
}

void LimitSet::Parts::add_meter(const Rule& rule, std::uint16_t index, const std::string& of, std::optional<Protocol> protocol,
                                std::optional<std::uint64_t> service, MonoTime now) {
  const auto sessions = session_rate(rule);
  const auto key = (rule.per == Per::service ? "service\n" : "protocol\n") + rule.name + "\n" + of;
  auto meter = ledger->meter(key, sessions, byte_rate(rule), now);
  rows.push_back({index, of, meter, sessions, &meter->open});
  for_classes(protocol, service, [&](Class& c) { c.shared.push_back({meter, sessions, rule.connections, counts_open(rule), index, 0}); });
}

void LimitSet::Parts::make_holds() {
  for (Class& c : classes) {
    Hold held;
    for (const Check& check : c.shared)
      if (check.held) held.push_back(check.meter);
    c.hold = ledger->hold(held);
  }
  holds = ledger->holds();
}

void LimitSet::Parts::make_byte_rates(const std::vector<Rule>& rules) {
  byte_rates.resize(holds.size());
  for (std::size_t i = 0; i < holds.size(); ++i)
    for (const auto& meter : *holds[i])
      for (const Row& row : rows)
        if (row.meter == meter && rules[row.rule].bytes_per_second > 0) byte_rates[i].push_back({meter, byte_rate(rules[row.rule])});
}

Admission LimitSet::admit(const Subject& subject, MonoTime now, bool again) const {
  Admission answer;
  const Class& of = parts_->class_of(subject);
  Meter* denied = of.clients.empty() ? nullptr : parts_->admit_client(of, subject, now, answer);
  if (denied == nullptr && (denied = parts_->admit_shared(of, now, answer)) != nullptr) {
    if (!of.clients.empty()) parts_->undo_client(of, subject, now, answer.ticket);
    answer.ticket = {};
  }
  if (denied != nullptr) {
    answer.action = rules_[answer.rule].action;
    answer.line = &denied->waiting;
    if (!again) count_denied(*denied, answer.reason);
    return answer;
  }
  for (const Check& check : of.clients) check.meter->allowed.fetch_add(1, std::memory_order_relaxed);
  for (const Check& check : of.shared) check.meter->allowed.fetch_add(1, std::memory_order_relaxed);
  answer.ticket.hold = of.hold;
  return answer;
}

Meter* LimitSet::Parts::admit_client(const Class& of, const Subject& subject, MonoTime now, Admission& answer) const {
  Meter* denied = nullptr;
  const bool tracked = clients->with_client(counted_as(subject.client), now, [&](ClientEntry& entry, std::uint32_t number) {
    for (std::size_t i = 0; i < of.clients.size(); ++i) {
      const Check& check = of.clients[i];
      answer.reason = ask(check, entry.slots[check.place], now);
      if (answer.reason == Reason::none) continue;
      answer.allowed = false;
      answer.rule = check.rule;
      if (answer.reason == Reason::rate) answer.retry_after = check.sessions.retry_after(entry.slots[check.place].sessions, now);
      while (i-- > 0) give_back(of.clients[i], entry.slots[of.clients[i].place]);
      denied = check.meter.get();
      return;
    }
    for (const Check& check : of.clients) answer.ticket.client_rules |= std::uint32_t{check.held} << check.place;
    if (answer.ticket.client_rules == 0) return;
    answer.ticket.client = number + 1;
    ++entry.references;
  });
  if (!tracked || denied != nullptr) return denied;
  for (const Check& check : of.clients)
    if (check.held) ledger->client_open[check.place].fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

Meter* LimitSet::Parts::admit_shared(const Class& of, MonoTime now, Admission& answer) const {
  for (std::size_t i = 0; i < of.shared.size(); ++i) {
    const Check& check = of.shared[i];
    answer.reason = ask(check, now);
    if (answer.reason == Reason::none) continue;
    answer.allowed = false;
    answer.rule = check.rule;
    if (answer.reason == Reason::rate) answer.retry_after = check.sessions.retry_after(check.meter->sessions, now);
    while (i-- > 0) give_back(of.shared[i], *of.shared[i].meter);
    return check.meter.get();
  }
  return nullptr;
}

void LimitSet::Parts::undo_client(const Class& of, const Subject& subject, MonoTime now, const Ticket& ticket) const {
  if (ticket.client == 0) {   // nothing held: should the entry have been evicted since, a full bucket takes nothing back
    clients->with_client(counted_as(subject.client), now, [&](ClientEntry& entry, std::uint32_t) {
      for (const Check& check : of.clients)
        if (check.sessions.limited()) check.sessions.give_back(entry.slots[check.place].sessions);
    });
    return;
  }
  clients->with_entry(ticket.client - 1, [&](ClientEntry& entry) {
    for (const Check& check : of.clients) give_back(check, entry.slots[check.place]);
    --entry.references;
  });
  for (const Check& check : of.clients)
    if (check.held) ledger->client_open[check.place].fetch_sub(1, std::memory_order_relaxed);
}

void LimitSet::release(Ticket ticket) const {
  if (ticket.hold != 0)
    for (const auto& meter : *parts_->holds[ticket.hold - 1]) meter->open.fetch_sub(1, std::memory_order_relaxed);
  if (ticket.client == 0) return;
  parts_->clients->with_entry(ticket.client - 1, [&](ClientEntry& entry) {
    for (std::uint32_t place = 0; place < client_rules_max; ++place)
      if (ticket.client_rules >> place & 1) --entry.slots[place].open;
    --entry.references;
  });
  for (std::uint32_t place = 0; place < client_rules_max; ++place)
    if (ticket.client_rules >> place & 1) parts_->ledger->client_open[place].fetch_sub(1, std::memory_order_relaxed);
}

Duration LimitSet::charge_held(Ticket ticket, std::uint64_t bytes, MonoTime now) const {
  Duration pause{};
  if (ticket.hold != 0)
    for (const auto& held : parts_->byte_rates[ticket.hold - 1])
      pause = std::max(pause, held.rate.charge(held.meter->bytes, now, bytes));
  if (ticket.client != 0)
    parts_->clients->with_entry(ticket.client - 1, [&](ClientEntry& entry) {
      for (std::uint32_t place = 0; place < client_rules_max; ++place)
        if (ticket.client_rules >> place & 1)
          pause = std::max(pause, parts_->client_bytes[place].charge(entry.slots[place].bytes, now, bytes));
    });
  return pause;
}

std::vector<RuleStats> LimitSet::stats(MonoTime now) const {
  std::vector<RuleStats> all;
  for (const auto& row : parts_->rows) {
    const Rule& rule = rules_[row.rule];
    const Meter& meter = *row.meter;
    const bool spread = rule.per == Per::protocol && !rule.protocol;
    all.push_back({rule.name, row.of, spread ? row.of : rule.protocol ? std::string(to_string(*rule.protocol)) : "all",
                   meter.allowed.load(std::memory_order_relaxed), meter.denied_rate.load(std::memory_order_relaxed),
                   meter.denied_connections.load(std::memory_order_relaxed), row.open->load(std::memory_order_relaxed),
                   meter.waiting.load(std::memory_order_relaxed), row.sessions.available(meter.sessions, now)});
  }
  return all;
}

ClientTableStats LimitSet::clients() const { return parts_->clients ? parts_->clients->stats() : ClientTableStats{}; }

}  // namespace nlb::limit
