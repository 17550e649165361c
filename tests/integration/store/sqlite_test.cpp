#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <sqlite3.h>

#include "tests/integration/store/conformance.hpp"

using namespace nlb;
using namespace nlb::store;
using namespace nlb::store::test;
namespace fs = std::filesystem;

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// Each step changes both keys, a third by its lease, and the journal, so that half of one shows.
void step(Store& store, int number) {
  const auto n = std::to_string(number);
  store.commit({{}, {put_of("left", n), put_of("right", n), put_of("big/" + n, std::string(static_cast<std::size_t>(number * 37 % 900), 'x'))},
                {record("step", n)}}).value();
}

// What a store holds, as one text; the same text means the same committed state.
std::string state_of(Store& store) {
  std::string text;
  const auto facts = store.range("").value();
  for (const auto& entry : facts.entries)
    text += entry.key + "=" + entry.value + "@" + std::to_string(entry.created) + "," + std::to_string(entry.modified) + ";";
  const auto journal = store.journal(0, 10000).value();
  for (const auto& record : journal) text += std::to_string(record.seq) + ":" + record.body + ";";
  return text;
}

struct Snapshot {                 // the files of a store that runs, as a sudden power loss would leave them
  std::string file, log;
};

Snapshot snapshot(const std::string& path) { return {contents(path), contents(path + "-wal")}; }

// Opens what is left; the answer must be an error with a clear text, or one of `known`. Then it must take writes.
bool opens_to_a_known_state(const Snapshot& left, const std::set<std::string>& known) {
  TempFolder folder;
  const auto path = folder / "x.db";
  write(path, left.file);
  if (!left.log.empty()) write(path + "-wal", left.log);
  auto store = open_sqlite_store(path);
  if (!store) {
    CHECK(store.error().kind == ErrorKind::bad_input);
    CHECK_THAT(store.error().text, Catch::StartsWith("open " + path + ": ") && Catch::EndsWith("or move it away to start empty"));
    return false;
  }
  CHECK(known.contains(state_of(**store)));
  CHECK((*store)->put("after", "recovery").has_value());
  return true;
}

std::vector<std::size_t> cuts(std::size_t size, std::size_t page, std::size_t stride) {   // every `stride`, and all around pages
  std::set<std::size_t> at;
  for (std::size_t i = 0; i < size; i += stride) at.insert(i);
  for (std::size_t i = 0; i <= size + 3; i += page)
    for (std::size_t near = i < 3 ? 0 : i - 3; near <= i + 3; ++near)
      if (near < size) at.insert(near);
  return {at.begin(), at.end()};
}

struct Written {
  Snapshot settled, running;      // all in the file; and with a log of later steps
  std::set<std::string> known;    // every state that was committed
};

Written write_steps(int settled, int later) {
  TempFolder folder;
  const auto path = folder / "x.db";
  Written out;
  {
    auto store = open_sqlite_store(path).value();
    out.known.insert(state_of(*store));
    for (int i = 1; i <= settled; ++i) step(*store, i), out.known.insert(state_of(*store));
  }
  out.settled = snapshot(path);   // closing moved the log into the file
  REQUIRE(out.settled.log.empty());
  auto store = open_sqlite_store(path).value();
  for (int i = settled + 1; i <= settled + later; ++i) step(*store, i), out.known.insert(state_of(*store));
  out.running = snapshot(path);
  REQUIRE_FALSE(out.running.log.empty());
  return out;
}

int code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a second process is refused, and told who has the store") {
  TempFolder folder;
  const auto path = folder / "deep/x.db";
  auto store = open_sqlite_store(path).value();
  const auto child = ::fork();
  if (child == 0) {
    const auto second = open_sqlite_store(path);
    const auto expected = "lock " + path + ".lock: process " + std::to_string(::getppid()) + " has this store: stop it, or name another file";
    ::_exit(second ? 1 : second.error().kind != ErrorKind::unavailable ? 2 : second.error().text != expected ? 3 : 42);
  }
  CHECK(code_of(child) == 42);
  CHECK(store->put("still", "works").has_value());
  store.reset();
  CHECK(open_sqlite_store(path).has_value());
  CHECK((fs::status(folder / "deep").permissions() & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE("a process that is killed between two writes loses nothing that was answered") {
  TempFolder folder;
  const auto path = folder / "x.db";
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const auto child = ::fork();
  if (child == 0) {
    auto store = open_sqlite_store(path).value();
    for (int i = 1;; ++i) {
      step(*store, i);
      if (::write(pipe[1], &i, sizeof i) != sizeof i) ::_exit(1);
    }
  }
  int answered = 0;
  while (answered < 50) REQUIRE(::read(pipe[0], &answered, sizeof answered) == sizeof answered);
  ::kill(child, SIGKILL);
  CHECK(code_of(child) == 1000 + SIGKILL);
  ::close(pipe[1]);
  while (::read(pipe[0], &answered, sizeof answered) == sizeof answered) {}
  ::close(pipe[0]);
  auto store = open_sqlite_store(path).value();
  const auto left = std::stoi(store->get("left").value()->value);
  CHECK((left == answered || left == answered + 1));
  CHECK(store->get("right").value()->value == std::to_string(left));
  CHECK(store->journal(0, 100000).value().back().body == std::to_string(left));
}

TEST_CASE("a file cut at any byte is refused, never half read") {
  const auto written = write_steps(40, 3);
  const auto& file = written.settled.file;
  CHECK(opens_to_a_known_state(written.settled, written.known));
  int opened = 0;
  for (const auto at : cuts(file.size(), 4096, 64)) opened += opens_to_a_known_state({file.substr(0, at), ""}, written.known);
  CHECK(opened == 0);             // the log is gone: what is missing can't be anywhere
}

TEST_CASE("a log cut at any byte is recovered to a committed state") {
  const auto written = write_steps(10, 12);
  const auto& [file, log] = written.running;
  CHECK(opens_to_a_known_state(written.running, written.known));
  for (const auto at : cuts(log.size(), 4096 + 24, 256)) {
    INFO("the log's first " << at << " of " << log.size() << " bytes");
    CHECK(opens_to_a_known_state({file, log.substr(0, at)}, written.known));
  }
}

TEST_CASE("a small store cut at every single byte of its file, and of its log, is refused or whole") {
  const auto written = write_steps(1, 1);
  const auto& [file, log] = written.running;
  for (std::size_t at = 0; at < written.settled.file.size(); ++at) {
    INFO("the file's first " << at << " of " << written.settled.file.size() << " bytes");
    REQUIRE_FALSE(opens_to_a_known_state({written.settled.file.substr(0, at), ""}, written.known));
  }
  for (std::size_t at = 0; at < log.size(); ++at) {
    INFO("the log's first " << at << " of " << log.size() << " bytes");
    REQUIRE(opens_to_a_known_state({file, log.substr(0, at)}, written.known));
  }
}

TEST_CASE("a file cut while a log is there, or damaged in the middle, is refused or whole") {
  const auto written = write_steps(25, 4);
  const auto& [file, log] = written.running;
  for (const auto at : cuts(file.size(), 4096, 512)) opens_to_a_known_state({file.substr(0, at), log}, written.known);
  for (std::size_t at = 0; at < file.size(); at += 211) {
    auto bytes = written.settled.file;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    INFO("byte " << at);
    opens_to_a_known_state({bytes, ""}, written.known);
  }
}

TEST_CASE("files of others, of newer versions and orphaned logs are refused with a reason") {
  TempFolder folder;
  const auto path = folder / "x.db";
  const auto text = [&] { return open_sqlite_store(path).error().text; };
  write(path, "");
  CHECK_THAT(text(), Catch::Contains("fewer than the 100 bytes"));
  write(path, std::string(5000, 'x'));
  CHECK_THAT(text(), Catch::Contains("it is not an SQLite file"));
  fs::remove(path);
  write(path + "-wal", "something");
  CHECK_THAT(text(), Catch::Contains("the file is missing, but its log"));
  fs::remove(path + "-wal");
  const auto sql = [&](const char* command) {
    sqlite3* database = nullptr;
    sqlite3_open(path.c_str(), &database);
    CHECK(sqlite3_exec(database, command, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  };
  sql("CREATE TABLE x(a)");
  CHECK_THAT(text(), Catch::Contains("it is not a store of nlb"));
  fs::remove(path);
  open_sqlite_store(path).value()->put("a", "1").value();
  sql("UPDATE fact SET value='2'");
  CHECK_THAT(text(), Catch::Contains("its digest doesn't match what it holds"));
  sql("UPDATE fact SET value=CAST('1' AS BLOB)");
  CHECK(open_sqlite_store(path).has_value());
  sql("PRAGMA user_version=2");
  CHECK_THAT(text(), Catch::Contains("its version is 2, this program knows 1"));
}

TEST_CASE("a full disk refuses changes, keeps the state, and takes changes again when there is room") {
  TempFolder folder;
  const auto path = folder / "x.db";
  const auto child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto store = open_sqlite_store(path).value();
    step(*store, 1);
    const auto before = state_of(*store);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit small{fs::file_size(path + "-wal") + 1000, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto put = store->commit({{}, {put_of("left", "2"), put_of("right", "2")}, {record("step", "2")}});
    if (put || put.error().kind != ErrorKind::unavailable) ::_exit(1);
    if (state_of(*store) != before) ::_exit(2);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (!store->put("left", "3")) ::_exit(3);
    ::_exit(42);                  // without closing, as a crash
  }
  CHECK(code_of(child) == 42);
  auto store = open_sqlite_store(path).value();
  CHECK(store->get("left").value()->value == "3");
  CHECK(store->get("right").value()->value == "1");
}

TEST_CASE("a restart renews the leases of others and ends those of the process") {
  SqliteBench bench;
  const auto others = bench.store().grant(10s).value();
  const auto own = bench.store().grant(10s, AfterRestart::ended).value();
  bench.store().put("module", "x", others.id).value();
  bench.store().put("leader", "x", own.id).value();
  bench.pass(9s);
  bench.restart();
  bench.pass(9s);                 // 18 s without a beat, but a full ttl after the restart
  CHECK(bench.store().get("module").value().has_value());
  CHECK_FALSE(bench.store().get("leader").value().has_value());
  bench.pass(2s);
  CHECK_FALSE(bench.store().get("module").value().has_value());
  CHECK(bench.store().grant(10s).value().id > own.id);
}

TEST_CASE("a watch waits for a change by another thread, and for the end of a lease") {
  TempFolder folder;
  auto store = open_sqlite_store(folder / "x.db").value();
  auto watch = store->watch("", 0).value();
  std::thread writer([&] { store->put("a", "1").value(); });
  CHECK(text_of(watch->next(10s).value().events) == "+a=1");
  writer.join();
  store->put("b", "1", store->grant(100ms).value().id).value();
  CHECK(text_of(watch->next(10s).value().events) == "+b=1");
  CHECK(text_of(watch->next(10s).value().events) == "-b");
  CHECK(watch->next(1ms).value().events.empty());
}

TEST_CASE("threads that write the same counter by compare and set lose no count") {
  TempFolder folder;
  auto store = open_sqlite_store(folder / "x.db").value();
  store->put("n", "0").value();
  const auto count = [&] {
    for (int done = 0; done < 20;) {
      const auto now = store->get("n").value();
      done += store->commit({{modified_at("n", now->modified)}, {put_of("n", std::to_string(std::stoi(now->value) + 1))}, {}}).has_value();
    }
  };
  std::thread a(count), b(count), c(count);
  a.join(), b.join(), c.join();
  CHECK(store->get("n").value()->value == "60");
}
