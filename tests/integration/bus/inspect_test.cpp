// nlb-inspect bus beside a real owner: what is there, what changes, and the exit codes.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/records.hpp"
#include "tests/integration/bus/ends.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;

namespace {

using testing::Folder;

std::string program() { return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "nlb-inspect").string(); }

class Inspect {                // lines of its output, each as soon as it is there
 public:
  explicit Inspect(const std::string& arguments) : pipe_(::popen(("exec timeout 30 " + program() + " bus " + arguments + " 2>/dev/null").c_str(), "r")) {}
  ~Inspect() { (void)end(); }
  nlohmann::json line() {
    char text[4096];
    return std::fgets(text, sizeof text, pipe_) ? nlohmann::json::parse(text) : nlohmann::json();
  }
  int end() {
    if (!pipe_) return -1;
    const int status = ::pclose(std::exchange(pipe_, nullptr));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  FILE* pipe_;
};

}  // namespace

TEST_CASE("nlb-inspect bus prints what is there, then each change as it comes, and only the topics that were asked for") {
  if (!std::filesystem::exists(program())) {
    WARN("skipped: " << program() << " is not built");
    return;
  }
  Folder folder;
  const auto endpoint = "ipc://" + folder.path + "/r";
  bus::Options options;
  options.owner = bus::OwnerOptions{.id = 1, .name = "registry", .epoch = 7, .beat_interval = 100ms};
  options.publish = endpoint;
  const auto owner = bus::Bus::start(options, {});
  REQUIRE(owner.has_value());
  REQUIRE((*owner)->publish("modules/web/web-1", bus::to_proto(nlb::testing::record("web-1")).SerializeAsString()).has_value());
  REQUIRE((*owner)->publish("modules/webshop/a", bus::to_proto(nlb::testing::record("a")).SerializeAsString()).has_value());

  Inspect follow("modules/web --count 2 --connect " + endpoint);
  const auto first = follow.line();
  CHECK(first["topic"] == "modules/web/web-1");
  CHECK(first["body"]["name"] == "web-1");
  CHECK(first["epoch"] == 7);
  CHECK(first["seq"] == 1);
  REQUIRE((*owner)->withdraw("modules/web/web-1").has_value());
  const auto gone = follow.line();
  CHECK(gone["gone"] == true);
  CHECK(gone["seq"] == 3);
  CHECK(follow.end() == 0);

  Inspect once("--once --connect " + endpoint);
  CHECK(once.line()["topic"] == "modules/webshop/a");
  CHECK(once.end() == 0);
  CHECK(Inspect("splits --once --connect " + endpoint).end() == 1);
  CHECK(Inspect("--once --timeout 100ms --connect ipc://" + folder.path + "/nobody").end() == 4);
  CHECK(Inspect("'a b' --once --connect " + endpoint).end() == 2);
}
