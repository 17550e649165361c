#include <catch2/catch.hpp>

#include <mutex>
#include <thread>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/limit/limits.hpp"

using namespace nlb;
using namespace nlb::limit;

namespace {
const MonoTime now{1000s};
const IpAddress alice = IpAddress::v4(0x0a000001), bob = IpAddress::v4(0x0a000002);

std::shared_ptr<const LimitSet> make(std::vector<Rule> rules, const LimitSet* previous = nullptr,
                                     std::vector<std::string> services = {"web", "api"}, MonoTime at = now) {
  auto set = LimitSet::build(std::move(rules), services, at, previous);
  REQUIRE(set);
  return *set;
}
Rule rule(std::string name, Per per, double rate, double burst = 0) {
  Rule r;
  r.name = std::move(name), r.per = per, r.rate = rate, r.burst = burst;
  return r;
}
Rule connections(std::string name, Per per, std::uint64_t most) {
  Rule r;
  r.name = std::move(name), r.per = per, r.connections = most;
  return r;
}
Subject subject(Protocol p, const char* service, IpAddress client = alice) { return {p, name_hash(service), client}; }
int admitted(const LimitSet& set, const Subject& s, int most, MonoTime at = now) {
  int n = 0;
  for (int i = 0; i < most; ++i) n += set.admit(s, at).allowed;
  return n;
}
RuleStats stats_of(const LimitSet& set, const std::string& name, const std::string& of) {
  for (auto& row : set.stats(now))
    if (row.name == name && row.of == of) return row;
  FAIL("no row " << name << " of " << of);
  return {};
}
}  // namespace

TEST_CASE("no rules admit everything and hold nothing") {
  const auto set = make({});
  const auto a = set->admit(subject(Protocol::http, "web"), now);
  CHECK(a.allowed);
  CHECK_FALSE(a.ticket);
  CHECK(set->charge(a.ticket, 1 << 30, now) == 0ns);
  set->release(a.ticket);
}

TEST_CASE("a rate per protocol counts each protocol on its own unless one is named") {
  const auto all = make({rule("r", Per::protocol, 10, 3)});
  CHECK(admitted(*all, subject(Protocol::http, "web"), 9) == 3);
  CHECK(admitted(*all, subject(Protocol::redis, "cache"), 9) == 3);
  auto http = rule("r", Per::protocol, 10, 3);
  http.protocol = Protocol::http;
  const auto one = make({http});
  CHECK(admitted(*one, subject(Protocol::http, "web"), 9) == 3);
  CHECK(admitted(*one, subject(Protocol::redis, "cache"), 9) == 9);
}

TEST_CASE("a rule per service counts each service on its own, a named one only that") {
  const auto each = make({rule("r", Per::service, 10, 2)});
  CHECK(admitted(*each, subject(Protocol::http, "web"), 9) == 2);
  CHECK(admitted(*each, subject(Protocol::http, "api"), 9) == 2);
  CHECK(admitted(*each, subject(Protocol::http, "another"), 9) == 9);
  auto named = rule("r", Per::service, 10, 2);
  named.service = "api";
  const auto one = make({named});
  CHECK(admitted(*one, subject(Protocol::http, "api"), 9) == 2);
  CHECK(admitted(*one, subject(Protocol::http, "web"), 9) == 9);
}

TEST_CASE("a rule per client counts each IPv4 address and each IPv6 /64") {
  const auto set = make({rule("r", Per::client, 10, 2)});
  CHECK(admitted(*set, subject(Protocol::http, "web", alice), 9) == 2);
  CHECK(admitted(*set, subject(Protocol::http, "web", bob), 9) == 2);
  CHECK(admitted(*set, subject(Protocol::http, "web", *parse_ip("2001:db8::1")), 9) == 2);
  CHECK(admitted(*set, subject(Protocol::http, "web", *parse_ip("2001:db8::2")), 9) == 0);
  CHECK(admitted(*set, subject(Protocol::http, "web", *parse_ip("2001:db8:0:1::2")), 9) == 2);
}

TEST_CASE("connections count while sessions are open") {
  for (Per per : {Per::protocol, Per::service, Per::client}) {
    const auto set = make({connections("c", per, 2)});
    const auto who = subject(Protocol::http, "web");
    const auto a = set->admit(who, now), b = set->admit(who, now), c = set->admit(who, now);
    CHECK((a.allowed && b.allowed));
    CHECK_FALSE(c.allowed);
    CHECK(c.reason == Reason::connections);
    CHECK(c.retry_after == 0ns);
    set->release(a.ticket);
    const auto d = set->admit(who, now);
    CHECK(d.allowed);
    set->release(b.ticket);
    set->release(d.ticket);
    for (const auto& row : set->stats(now)) CHECK(row.open == 0);
  }
}

TEST_CASE("a denial by one rule takes nothing from the others") {
  auto narrow = connections("narrow", Per::service, 1);
  narrow.service = "api";
  const auto set = make({rule("wide", Per::protocol, 1, 10), rule("mine", Per::client, 1, 10), narrow, connections("all", Per::client, 50)});
  const auto held = set->admit(subject(Protocol::http, "api"), now);
  CHECK(held.allowed);
  for (int i = 0; i < 100; ++i) {
    const auto denied = set->admit(subject(Protocol::http, "api"), now);
    REQUIRE_FALSE(denied.allowed);
    REQUIRE(set->rules()[denied.rule].name == "narrow");
    REQUIRE_FALSE(denied.ticket);
  }
  CHECK(admitted(*set, subject(Protocol::http, "web"), 20) == 9);
  CHECK(stats_of(*set, "narrow", "api").denied_connections == 100);
  CHECK(stats_of(*set, "narrow", "api").allowed == 1);
  CHECK(stats_of(*set, "all", "client").open == 10);
  CHECK(stats_of(*set, "wide", "http").allowed == 10);
}

TEST_CASE("one client's excess costs the others nothing") {
  const auto set = make({rule("wide", Per::protocol, 1, 10), rule("mine", Per::client, 1, 2)});
  CHECK(admitted(*set, subject(Protocol::http, "web", alice), 1000) == 2);
  int others = 0;
  for (std::uint32_t i = 0; i < 20; ++i) others += set->admit(subject(Protocol::http, "web", IpAddress::v4(i)), now).allowed;
  CHECK(others == 8);
}

TEST_CASE("a session that waits and asks again is counted as denied once") {
  const auto set = make({rule("per-client", Per::client, 1, 1), rule("shared", Per::protocol, 1, 2)});
  const auto who = subject(Protocol::http, "web");
  CHECK(set->admit(who, now).allowed);
  CHECK_FALSE(set->admit(who, now).allowed);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(set->admit(who, now, true).allowed);
  CHECK(stats_of(*set, "per-client", "client").denied_rate == 1);
  CHECK(stats_of(*set, "shared", "http").denied_rate == 0);
  CHECK(set->admit(who, now + 1s, true).allowed);
  CHECK(stats_of(*set, "per-client", "client").allowed == 2);
}

TEST_CASE("a denial says what to do and how long to wait") {
  auto r = rule("r", Per::protocol, 2, 1);
  r.action = Action::delay;
  const auto set = make({r});
  CHECK(set->admit(subject(Protocol::http, "web"), now).allowed);
  const auto denied = set->admit(subject(Protocol::http, "web"), now);
  CHECK(denied.action == Action::delay);
  CHECK(denied.reason == Reason::rate);
  CHECK(denied.retry_after == 500ms);
  CHECK(set->admit(subject(Protocol::http, "web"), now + denied.retry_after).allowed);
}

TEST_CASE("bytes are paced together for a protocol and apart for clients") {
  auto shared = rule("b", Per::protocol, 0);
  shared.bytes_per_second = 1000000;
  auto own = rule("o", Per::client, 0);
  own.bytes_per_second = 1000000;
  for (const auto& r : {shared, own}) {
    const auto set = make({r});
    const auto a = set->admit(subject(Protocol::http, "web", alice), now).ticket, b = set->admit(subject(Protocol::http, "web", bob), now).ticket;
    CHECK(set->charge(a, 100000, now) == 0ns);
    CHECK(to_seconds(set->charge(a, 500000, now)) == Approx(0.5));
    CHECK(to_seconds(set->charge(b, 100000, now)) == Approx(r.per == Per::client ? 0.0 : 0.6).margin(1e-6));
    set->release(a);
    set->release(b);
  }
}

TEST_CASE("a reload keeps levels and open sessions by name, and old tickets are released into the new set") {
  const std::vector<Rule> rules = {rule("r", Per::protocol, 1, 10), rule("mine", Per::client, 1, 10), connections("c", Per::service, 3),
                                   connections("cc", Per::client, 2)};
  const auto first = make(rules);
  const auto who = subject(Protocol::http, "web");
  const auto a = first->admit(who, now), b = first->admit(who, now);
  const auto second = make(rules, first.get());
  CHECK(stats_of(*second, "r", "http").tokens_available == Approx(8));
  CHECK(stats_of(*second, "c", "web").open == 2);
  CHECK(stats_of(*second, "r", "http").allowed == 2);
  CHECK(second->admit(who, now).reason == Reason::connections);
  second->release(a.ticket);
  CHECK(second->admit(who, now).allowed);
  second->release(b.ticket);
  CHECK(stats_of(*second, "cc", "client").open == 1);
  CHECK(admitted(*second, subject(Protocol::http, "web", bob), 5) == 2);
}

TEST_CASE("tickets outlive the rules that they were admitted under") {
  const auto first = make({connections("old", Per::client, 5), connections("gone", Per::protocol, 5)});
  const auto who = subject(Protocol::http, "web");
  const auto a = first->admit(who, now), b = first->admit(who, now);
  const auto second = make({}, first.get());
  second->release(a.ticket);
  const auto third = make({connections("new", Per::client, 5)}, second.get());
  CHECK(stats_of(*third, "new", "client").open == 1);
  third->release(b.ticket);
  CHECK(stats_of(*third, "new", "client").open == 0);
  CHECK(admitted(*third, who, 9) == 5);
}

TEST_CASE("another rate after a reload keeps the spent share") {
  const auto first = make({rule("r", Per::protocol, 10, 100), rule("m", Per::client, 10, 100)});
  CHECK(admitted(*first, subject(Protocol::http, "web"), 50) == 50);
  const auto second = make({rule("r", Per::protocol, 1, 10), rule("m", Per::client, 1, 10)}, first.get());
  CHECK(admitted(*second, subject(Protocol::http, "web"), 50) == 5);
  CHECK(admitted(*second, subject(Protocol::redis, "web"), 50) == 0);
  CHECK(admitted(*second, subject(Protocol::redis, "web", bob), 50) == 10);
}

TEST_CASE("the client table is bounded, forgets idle clients first and never one with sessions open") {
  auto r = rule("r", Per::client, 1, 2);
  r.connections = 2;
  r.table_max = 100;
  const auto set = make({r});
  const auto busy = set->admit(subject(Protocol::http, "web", alice), now).ticket;
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    const auto at = now + i * 10s;
    const auto one = set->admit(subject(Protocol::http, "web", IpAddress::v4(0x0b000000 + i)), at);
    REQUIRE(one.allowed);
    set->release(one.ticket);
  }
  const auto stats = set->clients();
  CHECK(stats.capacity == 100);
  CHECK(stats.clients == 100);
  CHECK(stats.evicted_idle == 5000 - 99);
  CHECK(stats.evicted_spent == 0);
  CHECK(stats.untracked == 0);
  const auto again = set->admit(subject(Protocol::http, "web", alice), now);
  CHECK(again.allowed);
  CHECK(set->admit(subject(Protocol::http, "web", alice), now).reason == Reason::connections);
  set->release(busy);
  set->release(again.ticket);
}

TEST_CASE("a table full of clients with sessions open lets new clients in and counts them") {
  auto r = connections("c", Per::client, 1);
  r.table_max = 10;
  const auto set = make({r, rule("r", Per::protocol, 1, 15)});
  std::vector<Ticket> tickets;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto a = set->admit(subject(Protocol::http, "web", IpAddress::v4(i)), now);
    CHECK(a.allowed == (i < 15));
    if (a.allowed) tickets.push_back(a.ticket);
  }
  CHECK(set->clients().untracked >= 5);
  for (auto t : tickets) set->release(t);
  CHECK(stats_of(*set, "c", "client").open == 0);
}

TEST_CASE("wrong rules are refused with their name") {
  const auto text = [](std::vector<Rule> rules) {
    auto set = LimitSet::build(std::move(rules), {}, now);
    return set ? std::string() : set.error().text;
  };
  CHECK(text({rule("", Per::client, 1)}).find("no name") != std::string::npos);
  CHECK(text({rule("a", Per::client, 1), rule("a", Per::client, 2)}) == "limit 'a' is defined twice: give every limit a name of its own");
  CHECK(text({rule("a", Per::client, 0)}).find("limits nothing") != std::string::npos);
  std::vector<Rule> many;
  for (char c : std::string("abcde")) many.push_back(rule(std::string(1, c), Per::client, 1));
  CHECK(text(many) == "5 limits are per client: at most 4 are possible");
}

TEST_CASE("threads never open more sessions than allowed, and everything comes back to zero") {
  auto mine = connections("mine", Per::client, 3);
  mine.table_max = 8;
  const auto set = make({connections("c", Per::protocol, 5), mine, rule("r", Per::service, 1e6, 1e6)});
  std::vector<std::thread> threads;
  std::atomic<int> open{0}, most{0};
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int i = 0; i < 3000; ++i) {
        const auto a = set->admit(subject(Protocol::http, "web", IpAddress::v4(static_cast<std::uint32_t>(rng.below(12)))), now);
        if (!a.allowed) continue;
        const int here = ++open;
        for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {}
        --open;
        set->release(a.ticket);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(most <= 5);
  for (const auto& row : set->stats(now)) CHECK(row.open == 0);
}

TEST_CASE("sets are replaced while threads admit and release, and nothing is lost") {
  const auto rules = [](int round) {
    auto mine = connections("mine", Per::client, 3);
    mine.table_max = 8 + static_cast<std::uint32_t>(round) * 4;
    mine.rate = mine.burst = 1e6 + round;
    std::vector<Rule> all = {connections("c", Per::protocol, 50), mine, rule("r" + std::to_string(round % 3), Per::service, 1e6, 1e6 + round)};
    all[0].bytes_per_second = 1000000000 + static_cast<std::uint64_t>(round);
    return all;
  };
  auto current = make(rules(0));
  std::mutex posted;   // stands for the post to the workers
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      Rng rng(t);
      std::vector<Ticket> open;
      std::shared_ptr<const LimitSet> set;
      while (!done) {
        {
          std::lock_guard guard(posted);
          set = current;
        }
        for (int i = 0; i < 20; ++i) {
          const auto a = set->admit(subject(Protocol::http, "web", IpAddress::v4(static_cast<std::uint32_t>(rng.below(200)))), now);
          if (a.allowed) open.push_back(a.ticket);
          if (a.allowed) set->charge(a.ticket, 100, now);
        }
        for (auto ticket : open) set->release(ticket);
        open.clear();
      }
    });
  for (int round = 1; round < 200; ++round) {
    auto next = make(rules(round), current.get(), {"web"});
    std::lock_guard guard(posted);
    current = next;
  }
  done = true;
  for (auto& thread : threads) thread.join();
  for (const auto& row : current->stats(now)) CHECK(row.open == 0);
}
