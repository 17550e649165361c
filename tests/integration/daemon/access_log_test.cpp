#include <catch2/catch.hpp>

#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/access_log.hpp"
#include "libnlb/daemon/json_line.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;
using test::TempFolder;

TEST_CASE("every line that was submitted is in the file when the log is closed") {
  TempFolder folder;
  constexpr int workers = 4, lines_each = 5000;
  {
    const auto log = AccessLog::open(folder / "access.log");
    REQUIRE(log);
    std::vector<std::thread> threads;
    for (int w = 0; w < workers; ++w)
      threads.emplace_back([&, w] {
        AccessBuffer buffer(log->get());
        for (int i = 0; i < lines_each; ++i) {
          JsonLine(buffer.line()).add("worker", w).add("line", i).end();
          buffer.done(MonoTime(std::chrono::hours(1)));
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK((*log)->counters().lines_dropped == 0);
  }
  std::ifstream file(folder / "access.log");
  std::vector<int> next(workers, 0);
  for (std::string line; std::getline(file, line);) {
    const auto object = nlohmann::json::parse(line);
    CHECK(object["line"] == next[object["worker"].get<std::size_t>()]++);
  }
  CHECK(next == std::vector<int>(workers, lines_each));
}

TEST_CASE("a buffer is handed over when it is old, when it is full, and not before") {
  TempFolder folder;
  auto log = AccessLog::open(folder / "access.log");
  REQUIRE(log);
  AccessBuffer buffer(log->get());
  const MonoTime start(1h);
  buffer.flush(start);
  buffer.line() += "one\n";
  buffer.done(start + 100ms);
  CHECK(buffer.line() == "one\n");
  buffer.flush_if_due(start + AccessBuffer::age_max);
  CHECK(buffer.line().empty());
  buffer.line() += std::string(AccessBuffer::bytes_max, 'x') + "\n";
  buffer.done(start + AccessBuffer::age_max);
  CHECK(buffer.line().empty());
  CHECK(test::eventually([&] { return test::read_file(folder / "access.log").size() == 4 + AccessBuffer::bytes_max + 1; }));
}

TEST_CASE("logrotate: after a move and reopen() new lines go to a new file") {
  TempFolder folder;
  auto log = AccessLog::open(folder / "access.log");
  REQUIRE(log);
  (*log)->submit("before\n");
  REQUIRE(test::eventually([&] { return test::read_file(folder / "access.log") == "before\n"; }));
  std::filesystem::rename(folder / "access.log", folder / "access.log.1");
  (*log)->submit("still the old file\n");
  (*log)->reopen();
  REQUIRE(test::eventually([&] { return (*log)->counters().reopens == 1; }));
  (*log)->submit("after\n");
  CHECK(test::eventually([&] { return test::read_file(folder / "access.log") == "after\n"; }));
  CHECK(test::read_file(folder / "access.log.1") == "before\nstill the old file\n");
}

TEST_CASE("a full disk costs lines and is counted; it is never fatal") {
  auto log = AccessLog::open("/dev/full");
  REQUIRE(log);
  (*log)->submit("one\ntwo\n");
  CHECK(test::eventually([&] { return (*log)->counters().lines_lost == 2; }));
  CHECK((*log)->counters().write_errors == 1);
}

TEST_CASE("what does not fit into the queue is dropped and counted by lines") {
  TempFolder folder;
  auto log = AccessLog::open(folder / "access.log");
  REQUIRE(log);
  (*log)->submit(std::string(AccessLog::queue_bytes_max + 1, '\n'));
  CHECK((*log)->counters().lines_dropped == AccessLog::queue_bytes_max + 1);
  (*log)->submit("fits\n");
  CHECK(test::eventually([&] { return test::read_file(folder / "access.log") == "fits\n"; }));
}

TEST_CASE("an access log that can't be opened says which file and which key") {
  const TempFolder folder;
  const auto missing = folder / "missing/access.log";
  const auto log = AccessLog::open(missing);
  REQUIRE_FALSE(log);
  CHECK(log.error().kind == ErrorKind::unavailable);
  CHECK(log.error().text == "the access log " + missing + " can't be opened: No such file or directory: check log.access.file");
}

TEST_CASE("a line is valid JSON whatever bytes a client sent") {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  for (const std::string& text : {every_byte, std::string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), std::string("\xed\xa0\x80\xc0\xaf\xf5")}) {
    std::string line;
    JsonLine(line).add("text", text).add("count", 3).add("share", 0.5).add("on", true).add_raw("list", "[1,2]").end();
    const auto object = nlohmann::json::parse(line);
    CHECK(object["count"] == 3);
    CHECK(object["share"] == 0.5);
    CHECK(object["on"] == true);
  }
  std::string line;
  JsonLine(line).add("user", "caf\xc3\xa9 \"\\\n\x01\xff").end();
  CHECK(line == "{\"user\":\"caf\xc3\xa9 \\\"\\\\\\n\\u0001\\u00ff\"}\n");
}
