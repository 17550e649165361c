#include <catch2/catch.hpp>

#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "libnlb/daemon/giver.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/successor.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;
using namespace nlb::daemon::handover;
using namespace std::chrono_literals;

namespace {

Descriptor some_file(const std::string& path) { return Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)); }

ino_t inode_of(int descriptor) {
  struct stat found{};
  fstat(descriptor, &found);
  return found.st_ino;
}

Word word_of(std::string name) {
  Word word;
  word.word = std::move(name);
  return word;
}

// A giver with its loop; what it is asked to do is noted as one letter each.
struct Fixture {
  test::TempFolder folder;
  ControlLoop loop;
  std::string done;
  pid_t heir = 0;
  Taken taken;
  std::vector<std::string> offered;
  GiverHooks hooks() {
    GiverHooks all;
    all.offer = [this]() -> Result<std::vector<Socket>> {
      done += 'o';
      std::vector<Socket> sockets;
      for (const auto& name : offered) sockets.push_back({Use::traffic, name, name, some_file(folder / "socket")});
      return sockets;
    };
    all.release = [this] { done += 'r'; };
    all.reclaim = [this] { done += 'b'; };
    all.hand_over = [this](const Taken& what, pid_t who) {
      done += 'h';
      taken = what;
      heir = who;
    };
    return all;
  }
  Giver giver;
  explicit Fixture(std::size_t old_generations_max = 2) : giver(loop, old_generations_max, hooks()) { (void)log::set_level("off"); }
  void turn(const std::function<bool()>& until) {   // runs the loop until it is so, or for ten seconds
    auto look = loop.every(1ms, [&] {
      if (until()) loop.stop();
    });
    auto end = loop.after(10s, [&] { loop.stop(); });
    loop.run();
    loop.native().restart();
    REQUIRE(until());
  }
  template <class F>
  void with_heir(Channel channel, F&& work) {       // the blocking side on a thread of its own
    std::atomic<bool> over{false};
    std::thread thread([&] {
      work(std::move(channel));
      over = true;
    });
    turn([&] { return over.load(); });
    thread.join();
  }
  Channel connect() { return std::move(*Channel::connect(folder / "endpoint")); }
};

}  // namespace

TEST_CASE("a channel carries descriptors, keeps the bounds of messages, and tells when its peer has gone") {
  test::TempFolder folder;
  auto ends = Channel::pair();
  REQUIRE(ends);
  const auto file = some_file(folder / "file");
  REQUIRE(ends->first.send("one", {file.get(), file.get()}));
  REQUIRE(ends->first.send("two"));
  auto one = ends->second.receive(1s), two = ends->second.receive(1s);
  REQUIRE((one && two));
  CHECK(one->text == "one");
  REQUIRE(one->descriptors.size() == 2);
  CHECK(inode_of(one->descriptors[1].get()) == inode_of(file.get()));
  CHECK(two->text == "two");
  CHECK(two->descriptors.empty());
  CHECK(ends->second.receive(10ms).error().kind == ErrorKind::timeout);
  CHECK(ends->second.peer_is_ours());
  ends->first.take();
  CHECK(ends->second.receive(1s).error().kind == ErrorKind::unavailable);
}

TEST_CASE("an endpoint is for its user alone, replaces a dead one, and does not steal a live one") {
  test::TempFolder folder;
  const auto path = folder / "deep/endpoint";
  {
    auto first = listen_for_channels(path);
    REQUIRE(first);
    struct stat found{};
    REQUIRE(stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
    CHECK(listen_for_channels(path).error().kind == ErrorKind::conflict);
  }
  CHECK(listen_for_channels(path));
  CHECK(listen_for_channels(std::string(200, 'x')).error().kind == ErrorKind::unavailable);
}

TEST_CASE("a word that is damaged, or of another program, is no word") {
  for (const char* text : {"", "{", "[]", "7", "{\"word\":7}", "{\"word\":\"offer\",\"sockets\":[{\"use\":\"traffic\"}]}", "{\"word\":\"serving\",\"taken\":[]}",
                           "{\"word\":\"x\",\"pid\":\"y\"}", "\xff"}) {
    CAPTURE(text);
    CHECK(read_word({text, {}}).word.empty());
  }
  CHECK(read_word({"{\"word\":\"hello\",\"later\":[1]}", {}}).word == "hello");
}

TEST_CASE("more sockets than fit into one message arrive in their order") {
  test::TempFolder folder;
  auto ends = Channel::pair();
  std::vector<Socket> sockets;
  for (int i = 0; i < 250; ++i) sockets.push_back({Use::traffic, std::to_string(i), "bound", some_file(folder / std::to_string(i % 7))});
  REQUIRE(send_offer(ends->first, sockets));
  auto got = await_offer(ends->second, 1s);
  REQUIRE(got);
  REQUIRE(got->size() == 250);
  for (int i = 0; i < 250; ++i) {
    CHECK((*got)[i].address == std::to_string(i));
    CHECK(inode_of((*got)[i].descriptor.get()) == inode_of(sockets[i].descriptor.get()));
  }
}

TEST_CASE_METHOD(Fixture, "an heir gets the sockets, and the old process lets go before it hands over") {
  offered = {"127.0.0.1:80", "unix:/x"};
  REQUIRE(giver.listen(folder / "endpoint"));
  with_heir(connect(), [&](Channel channel) {
    auto heir_side = Heir::begin(std::move(channel));
    REQUIRE(heir_side);
    const auto sockets = heir_side->take_sockets();
    REQUIRE(sockets.size() == 3);
    CHECK(sockets[1].address == "unix:/x");
    CHECK(sockets[2].use == Use::endpoint);
    CHECK(done == "o");
    REQUIRE(heir_side->release(1s));
    CHECK(done == "or");
    REQUIRE(heir_side->serve({{"unix:/x"}, true, true}));
  });
  CHECK(done == "orh");
  CHECK(taken.traffic == std::vector<std::string>{"unix:/x"});
  CHECK(heir == getpid());
}

TEST_CASE_METHOD(Fixture, "an heir that goes before it serves makes the old process take everything back, and the next one may come") {
  REQUIRE(giver.listen(folder / "endpoint"));
  for (const std::string expected : {"ob", "obob", "obobor"}) {
    with_heir(connect(), [&](Channel channel) {
      auto heir_side = Heir::begin(std::move(channel));
      REQUIRE(heir_side);
      if (expected == "obobor") REQUIRE(heir_side->release(1s));
    });
    turn([&] { return done.starts_with(expected) && done.back() == 'b'; });
  }
  CHECK(giver.counters().failed == 3);
  CHECK_FALSE(giver.handing_over());
}

TEST_CASE_METHOD(Fixture, "a second heir at the same time, and one old generation too many, are refused with the reason") {
  REQUIRE(giver.listen(folder / "endpoint"));
  with_heir(connect(), [&](Channel channel) {
    auto first = Heir::begin(std::move(channel));
    REQUIRE(first);
    auto second = Heir::begin(connect());
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::refused);
    CHECK(second.error().text.find("another takeover") != std::string::npos);
  });
  turn([&] { return !giver.handing_over(); });
  auto one = Channel::pair(), two = Channel::pair();
  giver.add_elder(1, std::move(one->first));
  giver.add_elder(2, std::move(two->first));
  const auto attempt = [&] {
    Result<Heir> heir_side = fail(ErrorKind::internal, "");
    with_heir(connect(), [&](Channel channel) { heir_side = Heir::begin(std::move(channel)); });
    return heir_side ? std::string() : heir_side.error().text;
  };
  CHECK(attempt().find("2 old generations still drain") != std::string::npos);
  two->second.take();   // one has ended
  turn([&] { return giver.old_generations().size() == 1; });
  CHECK(attempt() == "");
}

TEST_CASE_METHOD(Fixture, "old generations say how many sessions they have") {
  auto ends = Channel::pair();
  giver.add_elder(77, std::move(ends->first));
  auto word = word_of("sessions");
  word.sessions = 5;
  REQUIRE(say(ends->second, word));
  turn([&] { return giver.old_generations().at(0).sessions == 5; });
  CHECK(giver.old_generations()[0].pid == 77);
  giver.tell_elders_to_reopen_logs();
  CHECK(await(ends->second, "reopen", 1s));
}

TEST_CASE("a successor is started without what belonged to one life") {
  CHECK(OwnCommand::lasting({"nlb-forward", "--ready-fd", "9", "--config", "a", "--daemon", "--takeover-fd=4", "--ready-fd=3", "--takeover", "--workers", "2"}) ==
        std::vector<std::string>{"nlb-forward", "--config", "a", "--workers", "2"});
}

TEST_CASE("notes arrive as they were written") {
  const std::string bytes = std::string(100000, 'x') + '\0' + "end";
  auto written = write_notes("name", bytes);
  REQUIRE(written);
  CHECK(written->address == "name");
  CHECK(read_notes(*written).value() == bytes);
  CHECK_FALSE(read_notes(Socket{Use::notes, "none", "", Descriptor()}));
}
