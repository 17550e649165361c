#include "libnlb/store/campaign.hpp"
#include "tests/integration/store/conformance.hpp"
#include "tests/integration/store/etcd_server.hpp"

using namespace nlb;
using namespace nlb::store;
using namespace nlb::store::test;

namespace {

bool no_etcd() {
  if (etcd_is_installed()) return false;
  WARN("skipped: /usr/bin/etcd is not installed (package etcd-server)");
  return true;
}

}  // namespace

TEST_CASE("the store in etcd answers as every store") {
  if (no_etcd()) return;
  EtcdServer server;
  int number = 0;
  for (const auto& part : conformance) {
    INFO(part.name);
    EtcdBench bench(server, "/test/" + std::to_string(++number));
    part.run(bench);
  }
}

TEST_CASE("stores with different prefixes in one etcd do not see each other") {
  if (no_etcd()) return;
  EtcdServer server;
  EtcdBench a(server, "/site/a"), b(server, "/site/a2");
  a.store().put("k", "of a").value();
  b.store().commit({{}, {put_of("k", "of b")}, {record("k", "of b")}}).value();
  CHECK(a.store().range("").value().entries.size() == 1);
  CHECK(a.store().get("k").value()->value == "of a");
  CHECK(a.store().journal(0, 10).value().empty());
}

TEST_CASE("a range of more keys than a page is whole and of one revision") {
  if (no_etcd()) return;
  EtcdServer server;
  EtcdBench bench(server, "/pages");
  for (int i = 0; i < 25; ++i) {
    Transaction transaction;
    for (int j = 0; j < 100; ++j) transaction.then.push_back(put_of("k/" + std::to_string(10000 + i * 100 + j), "v"));
    bench.store().commit(transaction).value();
  }
  const auto all = bench.store().range("k/").value();
  REQUIRE(all.entries.size() == 2500);
  CHECK(all.entries.front().key == "k/10000");
  CHECK(all.entries.back().key == "k/12499");
}

TEST_CASE("an endpoint that is dead costs nothing but a try") {
  if (no_etcd()) return;
  EtcdServer server;
  const auto dead = "http://127.0.0.1:" + std::to_string(free_port());
  auto store = connect({dead, server.url()}, "/failover");
  REQUIRE(answers(*store));
  const auto start = steady_now();
  CHECK(store->put("a", "1").has_value());
  CHECK(steady_now() - start < 2s);
}

TEST_CASE("without any etcd every call says so, in time") {
  const auto dead = "http://127.0.0.1:" + std::to_string(free_port());
  auto store = connect({dead}, "/none", 300ms);
  const auto start = steady_now();
  for (const auto& error : {store->get("a").error(), store->put("a", "1").error(), store->grant(5s).error(), store->keep_alive(7).error()}) {
    CHECK(error.kind == ErrorKind::unavailable);
    CHECK_THAT(error.text, Catch::Contains(dead));
  }
  CHECK(steady_now() - start < 5s);
  auto watch = store->watch("a", 5).value();
  CHECK(within(*std::make_unique<MemoryBench>(), 5s, [&] { return !watch->next(100ms); }));
}

TEST_CASE("a write to an etcd that stopped in between is of unknown outcome, and not repeated") {
  if (no_etcd()) return;
  EtcdServer server;
  auto store = connect({server.url()}, "/unknown", 500ms);
  REQUIRE(answers(*store));
  server.signal(SIGSTOP);
  const auto put = store->put("a", "1");
  REQUIRE_FALSE(put);
  CHECK(put.error().kind == ErrorKind::timeout);
  CHECK_THAT(put.error().text, Catch::Contains("whether it was done isn't known"));
  server.signal(SIGCONT);
  REQUIRE(answers(*store));
}

TEST_CASE("a watch goes on after etcd was killed, and misses nothing") {
  if (no_etcd()) return;
  EtcdServer server;
  EtcdBench bench(server, "/watch");
  auto watch = bench.store().watch("w/", 0).value();
  bench.store().put("w/1", "before").value();
  CHECK(text_of(collect(*watch, 1)) == "+w/1=before");
  bench.restart();
  bench.other().put("w/2", "after").value();
  CHECK(text_of(collect(*watch, 1)) == "+w/2=after");
}

TEST_CASE("a campaign beats by itself, tells what it lost, and hands over when it ends") {
  if (no_etcd()) return;
  EtcdServer server;
  EtcdBench bench(server, "/campaign");
  std::mutex mutex;
  std::string told;
  const auto note = [&](const char* who) {
    return [&, who](const Leadership& state) {
      const std::lock_guard lock(mutex);
      told += std::string(who) + (state.leads ? "+ " : "- ");
    };
  };
  const auto is = [&](const char* text) {
    return [&, text] {
      const std::lock_guard lock(mutex);
      return told == text;
    };
  };
  auto a = std::make_unique<Campaign>(bench.store(), ElectionOptions{"leader", "a", 2s}, note("a"));
  REQUIRE(within(bench, 10s, is("a+ ")));
  Campaign b(bench.other(), {"leader", "b", 2s}, note("b"));
  bench.pass(5s);                                          // longer than the ttl
  CHECK(a->now().leads);
  CHECK_FALSE(b.now().leads);
  CHECK(is("a+ ")());
  const auto old = a->now().fence;
  a.reset();
  REQUIRE(within(bench, 1s, is("a+ b+ ")));                // not only when the lease ends
  CHECK(b.now().leads);
  CHECK(bench.store().commit({{old}, {put_of("x", "late")}, {}}).error().kind == ErrorKind::conflict);
  CHECK(bench.store().commit({{b.now().fence}, {put_of("x", "new")}, {}}).has_value());

  server.signal(SIGSTOP);                                  // cut off: b steps down by its own clock
  CHECK(within(bench, 15s, [&] { return !b.now().leads; }));
  CHECK(within(bench, 15s, is("a+ b+ b- ")));
  server.signal(SIGCONT);
  CHECK(within(bench, 20s, is("a+ b+ b- b+ ")));
}
