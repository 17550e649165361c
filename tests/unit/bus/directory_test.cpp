// The registry's directory: who is listed, for how long, and what a reader can do with an entry.
#include <catch2/catch.hpp>

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/directory_state.hpp"

using namespace nlb;
using namespace nlb::bus;

TEST_CASE("an owner that says hello is listed until it has been silent for long, and a repeat changes nothing") {
  DirectoryState directory;
  MonoTime now{};
  CHECK(directory.hello({"deploy/a", "tcp://10.0.0.1:5562", "tcp://10.0.0.1:5563", "k"}, now));
  CHECK_FALSE(directory.hello({"deploy/a", "tcp://10.0.0.1:5562", "tcp://10.0.0.1:5563", "k"}, now += hello_period));
  CHECK(directory.hello({"deploy/a", "tcp://10.0.0.1:5562", "tcp://10.0.0.1:5563", "new key"}, now));
  CHECK(directory.owners().size() == 1);
  CHECK_FALSE(directory.tick(now + owner_silence_max));
  CHECK(directory.tick(now + owner_silence_max + 1s));
  CHECK(directory.owners().empty());
  CHECK_FALSE(directory.hello({"", "tcp://10.0.0.1:5562", "", ""}, now));
  CHECK_FALSE(directory.hello({"deploy/a", "", "", ""}, now));
}

TEST_CASE("a full directory lists the newcomer instead of whoever has been silent longest") {
  DirectoryState directory;
  MonoTime now{};
  for (std::size_t i = 0; i <= directory_owners_max; ++i) directory.hello({"forward/a", "ipc:///" + std::to_string(i), "ipc:///s", ""}, now += 1ms);
  CHECK(directory.owners().size() == directory_owners_max);
  CHECK(directory.owners().front().publish == "ipc:///1");
}

TEST_CASE("who writes what is wanted is followed, where it can be reached") {
  const OwnerEntry deploy{"deploy/a", "tcp://10.0.0.1:5562", "tcp://10.0.0.1:5563", "k"}, forward{"forward/a", "ipc:///run/f", "ipc:///run/f.sync", ""};
  CHECK(writes_any(deploy, {"modules", "splits"}));
  CHECK_FALSE(writes_any(forward, {"modules", "splits"}));
  CHECK(writes_any(forward, {}));
  CHECK_FALSE(writes_any({"all/a", "tcp://h:1", "tcp://h:2", ""}, {}));
  CHECK(is_reachable(deploy, "tcp://10.0.0.9:5560"));
  CHECK(is_reachable(forward, "ipc:///run/registry.bus"));
  CHECK_FALSE(is_reachable(forward, "tcp://10.0.0.9:5560"));           // another machine's file
  CHECK_FALSE(is_reachable({"deploy/a", "tcp://0.0.0.0:5562", "tcp://0.0.0.0:5563", ""}, "tcp://10.0.0.9:5560"));
}

TEST_CASE("an endpoint that binds any address is listed with the one it was seen from") {
  CHECK(seen_from_outside("tcp://0.0.0.0:5560", "10.1.1.1") == "tcp://10.1.1.1:5560");
  CHECK(seen_from_outside("tcp://[::]:5560", "fd00::1") == "tcp://[fd00::1]:5560");
  CHECK(seen_from_outside("tcp://[::ffff:0.0.0.0]:5560", "::ffff:10.1.1.1") == "tcp://10.1.1.1:5560");
  CHECK(seen_from_outside("tcp://10.0.0.1:5560", "10.1.1.1") == "tcp://10.0.0.1:5560");
  CHECK(seen_from_outside("ipc:///run/f", "") == "ipc:///run/f");
}

TEST_CASE("each role reads what its daemon needs") {
  for (const auto& role : roles) {
    INFO(role.name);
    const auto classes = classes_of(role);
    CHECK(std::is_sorted(classes.begin(), classes.end()));
    for (const auto& name : classes) CHECK(find_class(name) != nullptr);
  }
  CHECK(find_role("nobody") == nullptr);
}
