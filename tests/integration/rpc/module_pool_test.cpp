// The pool of channels to modules against a real gRPC server: what comes and goes leaves nothing behind.
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "libnlb/rpc/module_pool.hpp"
#include "libnlb/rpc/server.hpp"

using namespace nlb;
using namespace nlb::rpc;

namespace {

std::size_t descriptors() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

std::size_t threads() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/task");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

template <class Predicate>
bool within(Duration bound, Predicate holds) {
  for (const auto end = std::chrono::steady_clock::now() + bound; std::chrono::steady_clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return holds();
}

std::unique_ptr<Server> start_server() {
  auto server = Server::start({{Endpoint::Kind::ip, 0, IpAddress::v4(0x7f000001), {}}, nullptr, false}, {});
  REQUIRE(server.has_value());
  (*server)->set_serving(true);
  return std::move(*server);
}

registry::CheckAnswer ask(ModulePool& pool, const std::string& module, const std::string& service = {}) {
  auto told = std::make_shared<std::promise<registry::CheckAnswer>>();
  auto answer = told->get_future();
  pool.check(module, service, std::chrono::seconds(5), [told](registry::CheckAnswer a) { told->set_value(std::move(a)); });
  return answer.get();
}

std::string state_of(const ModulePool& pool, const std::string& module) {
  for (const auto& one : pool.status())
    if (one.module == module) return one.state;
  return "none";
}

}  // namespace

TEST_CASE("channels that are added, removed and added again leave no descriptor, thread or count behind") {
  const auto server = start_server();
  ModulePool pool;
  const auto name = [](int i) { return "s/m" + std::to_string(i); };
  const auto round = [&] {
    for (int i = 0; i < 50; ++i) pool.add(name(i), server->address());
    for (int i = 0; i < 50; ++i) CHECK(ask(pool, name(i)).good);
    CHECK(pool.size() == 50);
    for (int i = 0; i < 50; ++i) pool.remove(name(i));
    CHECK(pool.size() == 0);
  };
  round();                                   // what gRPC makes once and keeps
  std::size_t before = 0;
  REQUIRE(within(10s, [&] { return std::exchange(before, descriptors()) == descriptors() && before < 60; }));   // the first round's are closed
  const auto threads_before = threads();
  for (int i = 0; i < 5; ++i) round();
  CHECK(within(10s, [&] { return descriptors() <= before + 2; }));
  CHECK(threads() <= threads_before + 4);
  CHECK(pool.counters().opened == 300);
  CHECK(pool.counters().closed == 300);
}

TEST_CASE("another address replaces the channel, the same one keeps it") {
  const auto server = start_server(), other = start_server();
  ModulePool pool;
  pool.add("s/a", server->address());
  CHECK(ask(pool, "s/a").good);
  CHECK(state_of(pool, "s/a") == "ready");
  pool.add("s/a", server->address());
  CHECK(pool.counters().opened == 1);
  pool.add("s/a", other->address());
  CHECK(pool.counters().opened == 2);
  CHECK(pool.counters().closed == 1);
  CHECK(state_of(pool, "s/a") == "idle");
  CHECK(ask(pool, "s/a").good);
}

TEST_CASE("answers and errors are told apart, and nobody is asked where there is no channel") {
  auto server = start_server();
  ModulePool pool;
  CHECK(ask(pool, "s/a").error == "there is no channel: the module has no control address");
  pool.add("s/a", server->address());
  server->set_serving(false);
  CHECK(ask(pool, "s/a").error == "grpc health: NOT_SERVING");
  CHECK_THAT(ask(pool, "s/a", "no.such").error, Catch::Contains("NOT_FOUND"));
  server.reset();
  CHECK(within(10s, [&] { return ask(pool, "s/a").error.find("UNAVAILABLE") != std::string::npos; }));
  pool.note_error("s/a", "it is gone");
  REQUIRE(pool.status().size() == 1);
  CHECK(pool.status()[0].last_error == "it is gone");
  CHECK(pool.status()[0].state == "failing");
}

TEST_CASE("a question to a channel that is removed meanwhile is answered") {
  const auto server = start_server();
  ModulePool pool;
  for (int i = 0; i < 20; ++i) {
    pool.add("s/a", server->address());
    auto told = std::make_shared<std::promise<void>>();
    auto answered = told->get_future();
    pool.check("s/a", {}, std::chrono::seconds(5), [told](const registry::CheckAnswer&) { told->set_value(); });
    pool.remove("s/a");
    CHECK(answered.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  }
}

// The one thing here that keeps gRPC's own threads is then the channel that goes.
TEST_CASE("the process's last channel goes while a question is on its way over it") {
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);      // takes connections and says nothing
  sockaddr_in address{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof address;
  REQUIRE(bind(silent, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(silent, 16) == 0);
  REQUIRE(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  for (int i = 0; i < 5; ++i) {
    std::promise<std::string> told;
    ModulePool pool;
    pool.add("s/a", {Endpoint::Kind::ip, ntohs(address.sin_port), IpAddress::v4(0x7f000001), {}});
    pool.check("s/a", {}, std::chrono::seconds(5), [&](const registry::CheckAnswer& answer) { told.set_value(answer.error); });
    pool.remove("s/a");
    CHECK_THAT(told.get_future().get(), Catch::Contains("CANCELLED"));
  }
  close(silent);
}
