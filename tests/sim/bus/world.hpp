// A small balancer under simulation: one registry with six modules, two copies of a controller that are elected through a store, and
// three forwarders that hold copies of all of them. Nodes are the production state machines; their disks are maps that survive a crash,
// and a crash may come before or after every single write. A forwarder
// writes a copy down before it acts on what changed in it. Faults stop at `quiet()`.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "libnlb/bus/fence_state.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/registry/membership.hpp"
#include "tests/sim/bus/history.hpp"
#include "tests/sim/bus/network.hpp"

namespace nlb::sim {

inline constexpr Duration beat = 200ms, lease = 1s, settle = 2s;
inline constexpr int modules_count = 6, controllers_count = 2, forwarders_count = 3;
inline constexpr int registry_node = 0, first_controller = 1, first_forwarder = 3, first_module = 6;
struct Crash {};                                 // thrown in the middle of what a node does
struct Broken { std::string what; };             // an invariant doesn't hold

struct Intent { std::uint64_t revision = 0, rollout = 0; int canary = 0, stable = 10000; bool rolled_back = false; };

struct Node {
  int number = 0;
  bool up = false, paused = false;
  MonoTime paused_at{};
  std::uint64_t life = 0;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  void run();                                    // throws Broken

 private:
  struct Registry : Node {
    std::uint64_t disk_epoch = 0;
    std::map<std::string, registry::Stored> disk;
    std::optional<registry::Membership> members;
    std::optional<bus::OwnerState> owner;
    MonoTime hearing_since;                      // start, or the end of a sleep that it must have noticed
  };
  struct Controller : Node {
    std::uint64_t token = 0;
    std::optional<bus::OwnerState> owner;
  };
  struct Elected {                               // the store that both controllers share
    std::uint64_t token = 0;
    MonoTime lease_end;
    Intent journal;
  };
  struct Forwarder : Node {
    std::array<bus::Copy, 3> disk;
    std::array<std::optional<bus::SubscriberState>, 3> copies;      // registry, first and second controller
    std::optional<bus::FenceState> fence;
    Intent split;
    std::uint64_t split_epoch = 0;
    std::array<std::uint64_t, 3> seen_epoch{}, seen_seq{};
  };
  struct Module : Node { std::uint64_t lease_id = 0, incarnation = 0, calls = 0; };

  template <class Body>
  void guarded(Node& node, Body body);           // runs when the node is up and awake; a Crash takes it down
  template <class Body>
  void every(Node& node, Duration period, Body body);
  void write();                                  // the moment before or after a write: perhaps the last one of this life
  void need(bool holds, const std::string& what) const;

  void start_registry();
  void registry_tick();
  void flush_registry();
  void start_controller(Controller& c);
  void controller_tick(Controller& c);
  void new_intent(Controller& c);
  void publish_split(Controller& c, const Intent& intent);
  void start_forwarder(Forwarder& f);
  void restore_split(Forwarder& f);
  void forwarder_tick(Forwarder& f);
  void start_module(Module& m);
  void module_tick(Module& m);
  void start(Node& node);

  bus::OwnerState* owner_of(int source);
  Node& node_of(int source);
  void broadcast(int source, const bus::OwnerState& owner, const bus::Update& update);
  void send_beat(int source);
  std::vector<bus::SyncChunk> answer(int source, const bus::OwnerState& owner, const bus::SyncRequest& request);
  void act(Forwarder& f, int source, const std::function<bus::Effects(bus::SubscriberState&)>& input);
  void take_splits(Forwarder& f, int source, const bus::Effects& effects);
  void pause(Node& node);
  void wake(Node& node);
  void fault();
  void quiet();
  void check_equal(bool quarantine_over);
  void run_until(MonoTime end);

  Network net_;
  History modules_history_, splits_history_;
  Registry registry_;
  std::array<Controller, controllers_count> controllers_;
  std::array<Forwarder, forwarders_count> forwarders_;
  std::array<Module, modules_count> modules_;
  Elected elected_;
  std::map<std::uint64_t, std::uint64_t> split_owner_of_epoch_;
  std::array<std::vector<std::vector<bus::SyncChunk>>, 3> old_answers_;   // snapshots that may be given a second time
  bool frozen_ = false;                          // owners change nothing more
  std::uint64_t crash_permille_ = 0;
};

}  // namespace nlb::sim
