#include <catch2/catch.hpp>

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/log.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;

namespace {

// What a process writes to stderr with this format.
std::string logged(config::LogFormat format, const std::function<void()>& body) {
  test::TempFolder folder;
  const auto path = folder / "stderr";
  const auto child = test::in_child([&] {
    dup2(open(path.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
    config::Log config;
    config.format = format;
    if (!log::set_up("test", config)) return 1;
    body();
    return 0;
  });
  CHECK(test::exit_code_of(child) == 0);
  return test::read_file(path);
}

}  // namespace

TEST_CASE("without a terminal each line is one JSON object with typed fields") {
  const auto text = logged(config::LogFormat::automatic, [] {
    log::info("listening", {{"address", "127.0.0.1:8080"}, {"workers", 2}, {"on", true}, {"odd", "a \"b\"\n"}});
  });
  const auto line = nlohmann::json::parse(text);
  CHECK(line["level"] == "info");
  CHECK(line["tool"] == "test");
  CHECK(line["message"] == "listening");
  CHECK(line["address"] == "127.0.0.1:8080");
  CHECK(line["workers"] == 2);
  CHECK(line["on"] == true);
  CHECK(line["odd"] == "a \"b\"\n");
  CHECK(line["time"].get<std::string>().back() == 'Z');
}

TEST_CASE("text is a message and key=value, quoted where it has to be") {
  const auto text = logged(config::LogFormat::text, [] { log::warning("slow", {{"module", "web-1"}, {"why", "no answer"}, {"ms", 12}}); });
  CHECK(text.ends_with("warning slow module=web-1 why=\"no answer\" ms=12\n"));
}

TEST_CASE("lines under the level are not written, and the level changes at run time") {
  const auto text = logged(config::LogFormat::json, [] {
    log::debug("not seen");
    (void)log::set_level("debug");
    log::debug("seen");
    (void)log::set_level("error");
    log::warning("not seen");
  });
  CHECK(nlohmann::json::parse(text)["message"] == "seen");
}
