// A reader in another language: the Python example prints what the owner publishes.
#include <catch2/catch.hpp>

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/records.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;

TEST_CASE("the Python subscriber prints the snapshot and then the news") {
  if (std::system("/usr/bin/python3 -c 'import zmq, google.protobuf' 2>/dev/null && protoc --version >/dev/null 2>&1") != 0) {
    WARN("skipped: python3-zmq, python3-protobuf or protoc is not installed");
    return;
  }
  char name[] = "/tmp/nlb-bus-XXXXXX";
  const std::string folder = ::mkdtemp(name), endpoint = "ipc://" + folder + "/r";
  bus::Options options;
  options.owner = bus::OwnerOptions{.id = 1, .name = "registry", .epoch = 7, .beat_interval = 100ms};
  options.publish = endpoint;
  auto owner = bus::Bus::start(options, {});
  REQUIRE(owner.has_value());
  REQUIRE((*owner)->publish("modules/web/web-1", bus::to_proto(nlb::testing::record("web-1")).SerializeAsString()).has_value());

  int out[2];
  REQUIRE(::pipe(out) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::string script = std::string(NLB_SOURCE_DIR) + "/examples/bus_subscriber.py", python = "/usr/bin/python3", address = endpoint;
  char* argv[] = {python.data(), script.data(), address.data(), nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, python.c_str(), &actions, nullptr, argv, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);

  std::string text;
  const auto read_until = [&](std::string_view wanted) {
    for (pollfd ready{out[0], POLLIN, 0}; text.find(wanted) == std::string::npos && ::poll(&ready, 1, 20000) > 0;) {
      char buffer[4096];
      const auto n = ::read(out[0], buffer, sizeof buffer);
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text.find(wanted) != std::string::npos;
  };
  CHECK(read_until("\"data_address\": \"127.0.0.1:8080\""));
  REQUIRE((*owner)->publish("modules/web/web-1", bus::to_proto(nlb::testing::record("web-1", 9999)).SerializeAsString()).has_value());
  CHECK(read_until("\"data_address\": \"127.0.0.1:9999\""));
  REQUIRE((*owner)->withdraw("modules/web/web-1").has_value());
  CHECK(read_until("\"gone\": true"));
  ::kill(child, SIGTERM);
  ::waitpid(child, nullptr, 0);
  ::close(out[0]);
  std::filesystem::remove_all(folder);
}
