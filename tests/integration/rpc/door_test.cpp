// Who may come in: API keys, and the names that a caller is known by. TLS itself is in e2e/registry_mtls and registry_certificates.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libnlb/rpc/door.hpp"

using namespace nlb;
using namespace nlb::rpc;

namespace {

struct KeyFile {
  std::string path = (std::filesystem::temp_directory_path() / ("nlb-keys-" + std::to_string(getpid()))).string();
  explicit KeyFile(const std::string& text) { std::ofstream(path) << text; }
  ~KeyFile() { std::filesystem::remove(path); }
};

}  // namespace

TEST_CASE("each key of the list opens the door, and nothing else does") {
  ApiKeys keys;
  CHECK(keys.empty());
  CHECK(keys.allow("anything"));            // no list: no door
  keys.set({"first", "second"});
  for (const auto* good : {"first", "second"}) CHECK(keys.allow(good));
  for (const auto* bad : {"", "firs", "firstt", "First", "first ", "third"}) CHECK_FALSE(keys.allow(bad));
  CHECK_FALSE(keys.allow(std::string(100000, 'x')));
  keys.set({"second"});
  CHECK_FALSE(keys.allow("first"));
}

TEST_CASE("a key file has one key a line; comments, empty lines and ends of line don't count") {
  const KeyFile file("# of spring\n\nfirst\r\nsecond  \n# old\n");
  CHECK(read_api_keys(file.path).value() == std::vector<std::string>{"first", "second"});
  const KeyFile empty("# none\n");
  CHECK(read_api_keys(empty.path).error().kind == ErrorKind::config);
  CHECK(read_api_keys("/nonexistent/keys").error().kind == ErrorKind::unavailable);
  std::string many;
  for (std::size_t i = 0; i <= api_keys_max; ++i) many += "key" + std::to_string(i) + "\n";
  const KeyFile full(many);
  CHECK(read_api_keys(full.path).error().kind == ErrorKind::config);
}

TEST_CASE("the environment's key counts beside those of the file") {
  const KeyFile file("from-file\n");
  setenv("NLB_API_KEY", "from-environment", 1);
  CHECK(ApiKeys::gather(file.path).value() == std::vector<std::string>{"from-environment", "from-file"});
  unsetenv("NLB_API_KEY");
  CHECK(ApiKeys::gather(file.path).value().size() == 1);
  CHECK(ApiKeys::gather("").value().empty());
}

TEST_CASE("a peer's address is told without its port, and a local one by that word") {
  CHECK(address_of_peer("ipv4:10.0.0.1:4711") == "10.0.0.1");
  CHECK(address_of_peer("ipv6:%5B2001:db8::1%5D:4711") == "2001:db8::1");
  CHECK(address_of_peer("ipv6:[::1]:4711") == "::1");
  CHECK(address_of_peer("unix:") == "local");
}

TEST_CASE("a certificate speaks for the services that it names") {
  const registry::Caller named{"edge", false, {"web", "shop"}}, anybody{"10.0.0.1", true, {}};
  CHECK(may_speak_for(named, "web"));
  CHECK_FALSE(may_speak_for(named, "we"));
  CHECK_FALSE(may_speak_for(named, ""));
  CHECK(may_speak_for(anybody, "web"));
}
