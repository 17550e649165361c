// The bus over tcp: who comes in, what each key may read, and how keys are changed while everything runs.
#include <catch2/catch.hpp>

#include <fstream>

#include "tests/integration/bus/ends.hpp"

using namespace nlb;
using namespace nlb::testing;

namespace {

struct Town {                  // an owner with a key pair and a folder of readers
  Folder folder;
  KeyPair server = make_keys().value();
  std::string allowed = folder.path + "/allowed";
  std::unique_ptr<Bus> owner;

  Town() { std::filesystem::create_directory(allowed); }
  void open(const std::string& endpoint = "tcp://127.0.0.1:*", std::uint64_t epoch = 1) {
    Options options;
    options.keys = server;
    options.allowed_keys_dir = allowed;
    owner = own(endpoint, epoch, std::move(options));
  }
  KeyPair admit(const std::string& name, const std::string& lines = "role all") {
    const auto keys = make_keys().value();
    list(name, keys, lines);
    return keys;
  }
  void list(const std::string& name, const KeyPair& keys, const std::string& lines) {
    std::ofstream(allowed + "/" + name + ".pub") << "public " << keys.public_key << "\n" << lines << "\n";
  }
  Options as(const KeyPair& keys, std::vector<std::string> server_keys, std::vector<std::string> classes = {}) const {
    Options options;
    options.keys = keys;
    options.insecure = server_keys.empty();
    options.subscriber.classes = std::move(classes);
    options.peers.push_back({owner->status().publish, owner->status().sync, std::move(server_keys)});
    return options;
  }
};

const auto anything = [](const auto& values) { return !values.empty(); };

}  // namespace

TEST_CASE("over tcp only those with a listed key hear anything, and the list is read again while it runs") {
  Town town;
  const auto friendly = town.admit("forward-1", "");
  const auto stranger = make_keys().value();
  town.open();
  REQUIRE(town.owner->publish("modules/web/a", "1").has_value());
  Copied friends, strangers, wrong_server, plain;
  const auto a = listen("", strangers, town.as(stranger, {town.server.public_key}));
  const auto b = listen("", wrong_server, town.as(friendly, {stranger.public_key}));
  const auto c = listen("", plain, town.as({}, {}));
  const auto d = listen("", friends, town.as(friendly, {town.server.public_key}));
  CHECK(friends.wait_value("modules/web/a", "1"));
  CHECK(eventually([&] { return town.owner->status().curve_refused > 0; }));
  CHECK_FALSE(strangers.wait(anything, 300ms));
  CHECK_FALSE(wrong_server.wait(anything, 1ms));
  CHECK_FALSE(plain.wait(anything, 1ms));
  town.list("forward-2", stranger, "role all");
  REQUIRE(town.owner->reload_keys().has_value());
  CHECK(strangers.wait_value("modules/web/a", "1"));
}

TEST_CASE("a key reads the classes of its role and no others, in the snapshot and in the news, even if it asks for everything") {
  Town town;
  const auto forward = town.admit("edge-1", "role forward"), two = town.admit("two", "topics splits\ntopics traffic"), none = town.admit("none", "topics events");
  town.open();
  for (const auto* topic : {"modules/web/a", "splits/web", "traffic/edge/web/v1"}) REQUIRE(town.owner->publish(topic, "1").has_value());
  Copied as_forward, everything, as_two, as_none;
  const auto a = listen("", as_forward, town.as(forward, {town.server.public_key}, {"modules", "splits", "traffic"}));
  const auto b = listen("", everything, town.as(forward, {town.server.public_key}));
  const auto c = listen("", as_two, town.as(two, {town.server.public_key}, {"modules", "splits", "traffic"}));
  const auto d = listen("", as_none, town.as(none, {town.server.public_key}, {"modules"}));
  for (auto* copied : {&as_forward, &everything}) CHECK(copied->wait_value("splits/web", "1"));
  CHECK(as_two.wait_value("traffic/edge/web/v1", "1"));
  CHECK(eventually([&] { return a->status().peers[0].refused_classes == std::vector<std::string>{"traffic"}; }));
  CHECK(eventually([&] { return d->status().peers[0].refused_classes == std::vector<std::string>{"directory", "modules"}; }));
  for (int i = 2; i < 50; ++i)
    for (const auto* topic : {"modules/web/a", "splits/web", "traffic/edge/web/v1"}) REQUIRE(town.owner->publish(topic, std::to_string(i)).has_value());
  for (auto* copied : {&as_forward, &everything}) CHECK(copied->wait_value("modules/web/a", "49"));
  CHECK(as_two.wait_value("traffic/edge/web/v1", "49"));
  const auto syncs = a->status().peers[0].counters.syncs;
  for (auto* copied : {&as_forward, &everything}) CHECK(copied->value("traffic/edge/web/v1").empty());
  CHECK(as_two.value("modules/web/a").empty());
  CHECK_FALSE(as_none.wait(anything, 1500ms));            // beats come, and what they count of other classes is no hole
  CHECK(a->status().peers[0].counters.syncs == syncs);
  CHECK(town.owner->status().classes_refused > 0);

  town.list("edge-1", forward, "role all");               // widened while it is connected
  REQUIRE(town.owner->reload_keys().has_value());
  CHECK(as_forward.wait_value("traffic/edge/web/v1", "49"));
  std::filesystem::remove(town.allowed + "/two.pub");     // and taken away
  REQUIRE(town.owner->reload_keys().has_value());
  REQUIRE(town.owner->publish("splits/web", "secret").has_value());
  CHECK(as_forward.wait_value("splits/web", "secret"));
  CHECK_FALSE(as_two.wait_value("splits/web", "secret", 1s));
}

TEST_CASE("an owner changes its key pair while readers know the old and the new one: all hear on, by delta") {
  Town town;
  const auto reader = town.admit("edge-1", "role forward");
  const auto next = make_keys().value();
  REQUIRE(save_keys(town.server, town.folder.path, "owner").has_value());
  Options options;
  options.secret_key_file = town.folder.path + "/owner.key";
  options.allowed_keys_dir = town.allowed;
  town.owner = own("tcp://127.0.0.1:*", 1, std::move(options));
  REQUIRE(town.owner->publish("modules/web/a", "1").has_value());
  Copied knows_both, knows_old;
  const auto a = listen("", knows_both, town.as(reader, {town.server.public_key, next.public_key}, {"modules"}));
  const auto b = listen("", knows_old, town.as(reader, {town.server.public_key}, {"modules"}));
  REQUIRE(knows_both.wait_value("modules/web/a", "1"));
  REQUIRE(knows_old.wait_value("modules/web/a", "1"));
  std::filesystem::remove(town.folder.path + "/owner.key");
  std::filesystem::remove(town.folder.path + "/owner.pub");
  REQUIRE(save_keys(next, town.folder.path, "owner").has_value());
  REQUIRE(town.owner->reload_keys().has_value());
  REQUIRE(town.owner->publish("modules/web/a", "2").has_value());
  CHECK(knows_both.wait_value("modules/web/a", "2"));
  CHECK(a->status().peers[0].counters.snapshots == 1);
  CHECK(knows_old.value("modules/web/a") == "1");         // it keeps what it has, and hears nothing more
}

TEST_CASE("a reader learns the owner's next key from its file while it runs") {
  Town town;
  const auto reader = town.admit("edge-1");
  const auto old = make_keys().value();
  town.open();
  REQUIRE(town.owner->publish("modules/web/a", "1").has_value());
  const auto file = town.folder.path + "/owner.pub";
  std::ofstream(file) << "public " << old.public_key << "\n";
  auto options = town.as(reader, {});
  options.insecure = false;
  options.peers[0].server_key_file = file;
  Copied copied;
  const auto bus = listen("", copied, std::move(options));
  CHECK_FALSE(copied.wait(anything, 300ms));
  std::ofstream(file) << "public " << old.public_key << "\npublic " << town.server.public_key << "\n";
  REQUIRE(bus->reload_keys().has_value());
  CHECK(copied.wait_value("modules/web/a", "1"));
  std::ofstream(file) << "nonsense\n";
  CHECK_FALSE(bus->reload_keys().has_value());            // an error leaves the old in force
}

TEST_CASE("nobody writes by the bus: whatever a reader sends, facts stay, and a hello counts only in the role of its key") {
  Town town;
  const auto forward = town.admit("edge-1", "role forward"), reader = town.admit("reader", "role all");
  Options options;
  options.keys = town.server;
  options.allowed_keys_dir = town.allowed;
  options.keeps_directory = true;
  town.owner = own("tcp://127.0.0.1:*", 1, std::move(options));
  REQUIRE(town.owner->publish("modules/web/a", "1").has_value());
  const auto as_owner = [&](const KeyPair& keys, const std::string& name, std::uint64_t id) {
    auto one = town.as(keys, {town.server.public_key}, {"modules"});
    one.owner = OwnerOptions{.id = id, .name = name, .epoch = 1, .beat_interval = 200ms};
    one.publish = "tcp://0.0.0.0:*";
    return one;
  };
  Copied honest, liar, other_liar;
  const auto a = listen("", honest, as_owner(forward, "forward/edge-1", 2));
  const auto b = listen("", liar, as_owner(forward, "deploy/edge-1", 3));
  const auto c = listen("", other_liar, as_owner(reader, "deploy/reader", 4));
  CHECK(eventually([&] { return town.owner->status().directory.size() == 2; }));
  CHECK(eventually([&] { return town.owner->status().hellos_refused >= 2; }));
  const auto directory = town.owner->status().directory;
  REQUIRE(directory.size() == 2);
  CHECK(directory[0].name == "registry");
  CHECK(directory[1].name == "forward/edge-1");
  CHECK(directory[1].key == forward.public_key);          // as it came in, not as it says
  CHECK_THAT(directory[1].publish, Catch::Matchers::StartsWith("tcp://127.0.0.1:"));
  CHECK(town.owner->status().head_seq == 2 + 1);          // its own fact, and the directory twice
}

TEST_CASE("key files say what is wrong with them") {
  Folder folder;
  const auto key = make_keys().value().public_key;
  const auto problem = [&](const std::string& text) {
    std::ofstream(folder.path + "/x.pub") << text;
    const auto readers = load_readers(folder.path);
    return readers ? std::string() : readers.error().text;
  };
  CHECK(problem("public " + key + "\nrole forward\n").empty());
  CHECK_THAT(problem("public " + key + "\nrole king\n"), Catch::Matchers::Contains("there is no role \"king\""));
  CHECK_THAT(problem("public " + key + "\ntopics gossip\n"), Catch::Matchers::Contains("there is no topic class \"gossip\""));
  CHECK_THAT(problem("public " + key + "\nrole all\ntopics splits\n"), Catch::Matchers::Contains("both role and topics"));
  CHECK_THAT(problem("public short\n"), Catch::Matchers::Contains("no Z85 key of 40 characters"));
  CHECK_THAT(problem("role all\n"), Catch::Matchers::Contains("no line \"public <key>\""));
  CHECK_THAT(problem("public " + key + "\npublic " + key + "\npublic " + key + "\n"), Catch::Matchers::Contains("more than two"));
  std::filesystem::remove(folder.path + "/x.pub");
  const auto pair = make_keys().value();
  REQUIRE(save_keys(pair, folder.path, "edge", "forward").has_value());
  CHECK_FALSE(save_keys(pair, folder.path, "edge", "forward").has_value());
  CHECK((std::filesystem::status(folder.path + "/edge.key").permissions() & std::filesystem::perms(077)) == std::filesystem::perms::none);
  CHECK(load_keys(folder.path + "/edge.key")->secret_key == pair.secret_key);
  CHECK(load_readers(folder.path)->at(pair.public_key).classes == std::vector<std::string>{"directory", "drains", "modules", "splits"});
}
