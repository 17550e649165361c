// Several owners over real sockets, and finding them: one address is enough, the registry's directory has the others.
#include <catch2/catch.hpp>

#include "tests/integration/bus/ends.hpp"

using namespace nlb;
using namespace nlb::testing;

namespace {

std::unique_ptr<Bus> owner_of(const std::string& endpoint, std::uint64_t id, const std::string& name, std::uint64_t epoch = 1, std::vector<PeerOptions> peers = {}) {
  Options options;
  options.owner = OwnerOptions{.id = id, .name = name, .epoch = epoch, .beat_interval = 200ms};
  options.keeps_directory = name.starts_with("registry");
  options.subscriber.beat_interval = 200ms;
  options.subscriber.classes = {"traffic"};
  options.peers = std::move(peers);
  return own(endpoint, epoch, std::move(options));
}

}  // namespace

TEST_CASE("two registries' modules are one list; the death of one, and its return with nothing, leave the other's alone") {
  Folder folder;
  auto a = owner_of(folder.ipc("a"), 1, "registry/a", 100), b = owner_of(folder.ipc("b"), 2, "registry/b", 5);
  for (const auto* name : {"a1", "a2", "both"}) REQUIRE(a->publish(std::string("modules/web/") + name, "a").has_value());
  for (const auto* name : {"b1", "b2", "both"}) REQUIRE(b->publish(std::string("modules/web/") + name, "b").has_value());
  Copied copied;
  Options options;
  options.subscriber.classes = {"modules"};
  options.peers = {{folder.ipc("a")}, {folder.ipc("b")}};
  const auto reader = listen("", copied, std::move(options));
  REQUIRE(copied.wait([](const auto& values) { return values.size() == 5; }));
  CHECK(copied.wait_value("modules/web/both", "a"));
  CHECK(eventually([&] { return reader->status().conflicts.contains("modules/web/both"); }));
  b.reset();
  REQUIRE(a->publish("modules/web/a1", "still").has_value());
  CHECK(copied.wait_value("modules/web/a1", "still"));
  b = owner_of(folder.ipc("b"), 2, "registry/b", 6);      // its disk was lost
  CHECK(eventually([&] { return reader->status().peers[1].quarantined == 3; }, 20s));
  CHECK(copied.wait([](const auto& values) { return values.size() == 5; }));
  CHECK(reader->status().peers[0].quarantined == 0);
  REQUIRE(a->withdraw("modules/web/a2").has_value());
  CHECK(copied.wait([](const auto& values) { return values.size() == 4; }));
}

TEST_CASE("a successor at another address takes over whole, without a word from its predecessor") {
  Folder folder;
  auto first = owner_of(folder.ipc("a"), 7, "registry/a", 10);
  for (const auto* name : {"m1", "m2", "m3"}) REQUIRE(first->publish(std::string("modules/web/") + name, "1").has_value());
  Copied copied;
  Options options;
  options.subscriber.classes = {"modules"};
  options.peers = {{folder.ipc("a")}, {folder.ipc("b")}};
  const auto reader = listen("", copied, std::move(options));
  REQUIRE(copied.wait([](const auto& values) { return values.size() == 3; }));
  first.reset();
  const auto second = owner_of(folder.ipc("b"), 7, "registry/b", 11);
  for (const auto* name : {"m1", "m2"}) REQUIRE(second->publish(std::string("modules/web/") + name, "2").has_value());      // m3 left in between
  CHECK(copied.wait([](const auto& values) { return values.size() == 2 && values.at("modules/web/m1") == "2"; }));
}

TEST_CASE("who subscribes to the registry alone finds the deployer and every forwarder that has said hello to it") {
  Folder folder;
  auto registry = owner_of(folder.ipc("registry"), 1, "registry/a");
  const auto deploy = owner_of(folder.ipc("deploy"), 2, "deploy/a", 1, {{folder.ipc("registry")}});
  const auto edge_1 = owner_of(folder.ipc("edge-1"), 3, "forward/edge-1", 1, {{folder.ipc("registry")}});
  const auto edge_2 = owner_of(folder.ipc("edge-2"), 4, "forward/edge-2", 1, {{folder.ipc("registry")}});
  REQUIRE(deploy->publish("splits/web", "10 %").has_value());
  REQUIRE(edge_1->publish("traffic/edge-1/web/v1", "1").has_value());
  REQUIRE(edge_2->publish("traffic/edge-2/web/v1", "2").has_value());
  Copied splits, traffic;
  Options forward, scale;
  forward.subscriber.classes = {"modules", "splits"};
  forward.peers = {{folder.ipc("registry")}};
  scale.subscriber.classes = {"traffic"};
  scale.peers = {{folder.ipc("registry")}};
  const auto a = listen("", splits, std::move(forward)), b = listen("", traffic, std::move(scale));
  CHECK(splits.wait_value("splits/web", "10 %"));
  CHECK(traffic.wait_value("traffic/edge-1/web/v1", "1"));
  CHECK(traffic.wait_value("traffic/edge-2/web/v1", "2"));
  const auto follows = [](const auto& bus, std::size_t owners) { return eventually([&] { return bus->status().peers.size() == owners; }); };
  CHECK(follows(a, 2));                                   // forwarders write nothing that it wants
  CHECK(follows(b, 3));
  CHECK(splits.value("directory").empty());
  CHECK(follows(registry, 2));                            // it reads traffic, and follows its own directory

  registry.reset();                                       // its directory is news, not a command: nothing is lost with it
  registry = owner_of(folder.ipc("registry"), 1, "registry/a", 2);
  CHECK(eventually([&] { return registry->status().directory.size() == 4; }, 20s));      // they have said hello again
  REQUIRE(deploy->publish("splits/web", "20 %").has_value());
  CHECK(splits.wait_value("splits/web", "20 %"));
  CHECK(follows(a, 2));

  auto copies = a->copies();                              // a restart finds the deployer although the registry is away
  registry.reset();
  Copied again;
  Options restarted;
  restarted.subscriber.classes = {"modules", "splits"};
  restarted.peers = {{folder.ipc("registry"), {}, {}, {}, copies.at(folder.ipc("registry"))}};
  restarted.known = copies;
  const auto c = listen("", again, std::move(restarted));
  REQUIRE(c->known().size() == 1);
  CHECK(c->known()[0].topic == "splits/web");
  REQUIRE(deploy->publish("splits/web", "30 %").has_value());
  CHECK(again.wait_value("splits/web", "30 %"));
}
