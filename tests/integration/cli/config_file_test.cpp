#include "libnlb/cli/config_file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

using namespace nlb;
using namespace nlb::cli;
namespace fs = std::filesystem;

namespace {

class Place {   // an empty home, and the environment as it was before when the test is over
 public:
  Place() {
    char name[] = "/tmp/nlb-config-XXXXXX";
    folder = mkdtemp(name);
    for (const auto* variable : {"NLB_CONFIG", "NLB_RUNTIME_DIR", "NLB_STATE_DIR", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "NLB_HEALTH__RISE"}) set(variable, nullptr);
    set("HOME", folder.c_str());
  }
  ~Place() {
    for (const auto& [name, value] : before_) value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
    fs::remove_all(folder);
  }
  void set(const char* name, const char* value) {
    const char* old = std::getenv(name);
    before_.emplace(name, old ? std::optional<std::string>(old) : std::nullopt);
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = folder / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  fs::path folder;

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

ConfigOptions file(const std::string& path) {
  ConfigOptions options;
  options.file = path;
  return options;
}

}  // namespace

TEST_CASE("the file is the one named, else NLB_CONFIG, else the one in the home") {
  Place place;
  place.write(".config/nlb/nlb.yaml", "health: {rise: 4}\n");
  const auto named = place.write("a.yaml", "health: {rise: 5}\n");
  const auto by_variable = place.write("b.yaml", "health: {rise: 6}\n");
  CHECK(load_config({}, "forward")->config.health.rise == 4);
  place.set("XDG_CONFIG_HOME", (place.folder / "other").c_str());
  place.write("other/nlb/nlb.yaml", "health: {rise: 7}\n");
  CHECK(load_config({}, "forward")->config.health.rise == 7);
  place.set("NLB_CONFIG", by_variable.c_str());
  CHECK(load_config({}, "forward")->config.health.rise == 6);
  CHECK(load_config(file(named), "forward")->config.health.rise == 5);
}

TEST_CASE("flags win over the environment, that over the file") {
  Place place;
  auto options = file(place.write("a.yaml", "health: {rise: 5}\n"));
  place.set("NLB_HEALTH__RISE", "8");
  CHECK(load_config(options, "forward")->config.health.rise == 8);
  options.set = {"health.rise=9"};
  CHECK(load_config(options, "forward")->config.health.rise == 9);
  options.set = {"health.rise"};
  CHECK(load_config(options, "forward").error().kind == ErrorKind::usage);
}

TEST_CASE("a named file that is missing is unavailable, a wrong one is a configuration error with places") {
  Place place;
  const auto missing = load_config(file("/nonexistent/nlb.yaml"), "forward");
  REQUIRE_FALSE(missing);
  CHECK(exit_code_of(missing.error().kind) == ExitCode::unavailable);
  CHECK(missing.error().text.find("'/nonexistent/nlb.yaml' (named by --config) can't be read: No such file or directory") != std::string::npos);
  CHECK(load_config(file(place.folder), "forward").error().kind == ErrorKind::unavailable);

  const auto path = place.write("bad.yaml", "health: {rise: x}\nloog: {}\n");
  const auto wrong = load_config(file(path), "forward");
  REQUIRE_FALSE(wrong);
  CHECK(exit_code_of(wrong.error().kind) == ExitCode::config);
  CHECK(wrong.error().text == path + ":1:16: health.rise: 'x' is no whole number: write a whole number from 1 to 100\n" + path + ":2:1: loog: unknown key: did you mean 'log'?\n");
}

TEST_CASE("places are those of the process") {
  Place place;
  place.set("XDG_RUNTIME_DIR", "/x/run");
  place.set("XDG_STATE_HOME", "/x/state");
  CHECK(places_of("scale").runtime == "/x/run/nlb");
  CHECK(places_of("scale").state == "/x/state/nlb");
  place.set("RUNTIME_DIRECTORY", "/run/a:/run/b");
  place.set("STATE_DIRECTORY", "/var/a");
  CHECK(places_of("scale").runtime == "/run/a");
  CHECK(places_of("scale").state == "/var/a");
  place.set("NLB_RUNTIME_DIR", "/n/run");
  place.set("NLB_STATE_DIR", "/n/state");
  const auto config = load_config(file(place.write("a.yaml", "registry: {grpc: 'unix:${runtime}/r.sock'}\n")), "scale")->config;
  CHECK(config.store.sqlite == "/n/state/scale.db");
  CHECK(config.bus.publish == "ipc:///n/run/scale.bus");
  CHECK(config.registry.grpc.host == "/n/run/r.sock");
  CHECK(config.deploy.grpc == "unix:/n/run/deploy.sock");
}
