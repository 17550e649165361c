// A reader in another language: the Python example prints what the owner publishes.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libnlb/bus/records.hpp"
#include "tests/integration/bus/ends.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::testing;

namespace {

bool can_run() { return std::system("/usr/bin/python3 -c 'import zmq, google.protobuf' 2>/dev/null && protoc --version >/dev/null 2>&1") == 0; }

class Example {                // examples/bus_subscriber.py with these arguments; its output so far
 public:
  explicit Example(std::vector<std::string> arguments) {
    int out[2];
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string python = "/usr/bin/python3", script = std::string(NLB_SOURCE_DIR) + "/examples/bus_subscriber.py";
    std::vector<char*> argv = {python.data(), script.data()};
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    REQUIRE(::posix_spawn(&child_, python.c_str(), &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    out_ = out[0];
  }
  ~Example() {
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
    ::close(out_);
  }
  bool read_until(std::string_view wanted) {
    for (pollfd ready{out_, POLLIN, 0}; text_.find(wanted) == std::string::npos && ::poll(&ready, 1, 20000) > 0;) {
      char buffer[4096];
      const auto n = ::read(out_, buffer, sizeof buffer);
      if (n <= 0) break;
      text_.append(buffer, static_cast<std::size_t>(n));
    }
    return text_.find(wanted) != std::string::npos;
  }
  const std::string& text() const { return text_; }

 private:
  pid_t child_ = 0;
  int out_ = -1;
  std::string text_;
};

std::string module(std::uint16_t port) { return bus::to_proto(nlb::testing::record("web-1", port)).SerializeAsString(); }

}  // namespace

TEST_CASE("the Python subscriber prints the snapshot and then the news, of several owners") {
  if (!can_run()) {
    WARN("skipped: python3-zmq, python3-protobuf or protoc is not installed");
    return;
  }
  Folder folder;
  const auto one = own(folder.ipc("one"), 7), two = own(folder.ipc("two"), 3);
  REQUIRE(one->publish("modules/web/web-1", module(8080)).has_value());
  REQUIRE(two->publish("modules/shop/web-1", module(7070)).has_value());
  Example example({folder.ipc("one"), folder.ipc("two"), "modules"});
  CHECK(example.read_until("\"data_address\": \"127.0.0.1:8080\""));
  CHECK(example.read_until("\"data_address\": \"127.0.0.1:7070\""));
  REQUIRE(one->publish("modules/web/web-1", module(9999)).has_value());
  CHECK(example.read_until("\"data_address\": \"127.0.0.1:9999\""));
  REQUIRE(two->withdraw("modules/shop/web-1").has_value());
  CHECK(example.read_until("\"gone\": true"));
}

TEST_CASE("the Python subscriber reads over CURVE what its key may read") {
  if (!can_run()) {
    WARN("skipped: python3-zmq, python3-protobuf or protoc is not installed");
    return;
  }
  Folder folder;
  const auto server = make_keys().value(), reader = make_keys().value();
  REQUIRE(save_keys(server, folder.path, "owner", "registry").has_value());
  REQUIRE(save_keys(reader, folder.path + "/allowed", "reader", "forward").has_value());
  Options options;
  options.keys = server;
  options.allowed_keys_dir = folder.path + "/allowed";
  const auto port = free_pair_of_ports();
  const auto endpoint = "tcp://127.0.0.1:" + std::to_string(port);
  const auto owner = own(endpoint, 7, std::move(options));
  REQUIRE(owner->publish("traffic/edge/web/v1", "").has_value());
  REQUIRE(owner->publish("modules/web/web-1", module(8080)).has_value());
  Example example({"--key", folder.path + "/allowed/reader.key", "--server", folder.path + "/owner.pub", endpoint});
  CHECK(example.read_until("\"data_address\": \"127.0.0.1:8080\""));
  REQUIRE(owner->publish("traffic/edge/web/v1", "").has_value());
  REQUIRE(owner->publish("modules/web/web-1", module(9999)).has_value());
  CHECK(example.read_until("\"data_address\": \"127.0.0.1:9999\""));
  CHECK_THAT(example.text(), !Catch::Matchers::Contains("traffic"));
}
