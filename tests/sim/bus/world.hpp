// A small balancer under simulation: a registry with six modules and two impostors of them, a second site's registry that owns modules of
// its own and contradicts the first about some, two copies of a controller that are elected through a store, and three forwarders that
// hold copies of all of them, merge them, and answer splits by what they applied, of which the controllers hold copies. Nodes are the
// production state machines; their disks are maps that survive a crash, and a crash may come before or after every single write. A
// forwarder writes a copy down before it acts on what changed in it. The wall clock jumps. Faults stop at `quiet()`.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "libnlb/bus/merge_state.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/registry/membership.hpp"
#include "tests/sim/bus/history.hpp"
#include "tests/sim/bus/network.hpp"

namespace nlb::sim {

inline constexpr Duration beat = 200ms, lease = 1s, settle = 2s;
inline constexpr Duration settle_latest = settle + 2 * beat;   // from the owner's word, with what a lost or late beat may cost
inline constexpr int modules_count = 6, twins_count = 2, controllers_count = 2, forwarders_count = 3, site_keys = 6;
inline constexpr int registry_node = 0, first_controller = 1, site_node = 3, first_forwarder = 4, first_module = 7, first_twin = 13, nodes_count = 15;
inline constexpr std::size_t sources_count = 4;          // of a forwarder, by their node: registry, two controllers, the other site's registry
inline constexpr std::uint64_t registry_id = 11, site_id = 13;
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
    std::map<std::string, MonoTime> beaten_at;   // by module: its last beat or registration
    std::map<std::string, std::uint64_t> newest; // by module: the incarnation that has the name
    std::map<std::string, std::uint64_t> taken_out;      // by module: the incarnation that an operator took out, as the disk was told
    MonoTime hearing_since;                      // start, or the end of a sleep that it must have noticed
  };
  struct Site : Node {                           // another registry, told what it owns by an operator
    std::uint64_t disk_epoch = 0;
    std::map<std::string, std::string> disk;
    std::optional<bus::OwnerState> owner;
    std::optional<MonoTime> half_since;          // it names at least half of all it ever could: nobody can know twice as many
  };
  struct Controller : Node {
    std::uint64_t token = 0;
    std::optional<bus::OwnerState> owner;
    std::array<std::optional<bus::SubscriberState>, forwarders_count> copies;      // of what each forwarder applied
    std::optional<bus::MergeState> merge;
    std::map<std::string, std::string> acks;     // what the merge told
  };
  struct Elected {                               // the store that both controllers share
    std::uint64_t token = 0;
    MonoTime lease_end;
    Intent journal;
  };
  struct Forwarder : Node {
    std::array<bus::Copy, sources_count> disk;
    std::array<std::optional<bus::SubscriberState>, sources_count> copies;
    std::optional<bus::MergeState> merge;
    std::map<std::string, std::pair<std::string, bool>> modules;      // what the merge told: payload, quarantined
    std::uint64_t disk_epoch = 0;
    std::optional<bus::OwnerState> owner;
    Intent split;
    std::uint64_t split_epoch = 0;
    std::array<std::uint64_t, sources_count> seen_epoch{}, seen_seq{};
    std::array<bool, sources_count> accepting{};     // an operator said that a smaller epoch is right
  };
  struct Module : Node { std::string name; std::uint64_t lease_id = 0, incarnation = 0, calls = 0; };

  template <class Body>
  void guarded(Node& node, Body body);           // runs when the node is up and awake; a Crash takes it down
  template <class Body>
  void every(Node& node, Duration period, Body body);
  void write();                                  // the moment before or after a write: perhaps the last one of this life
  void need(bool holds, const std::string& what) const;

  std::uint64_t next_epoch(std::uint64_t& on_disk);
  void start_registry();
  void registry_tick();
  void operate(const std::string& id);
  void keep(const registry::ModuleKey& key);
  void flush_registry();
  bool silent_with_others(const std::string& name) const;
  void start_site();
  void site_tick();
  void site_says(const std::string& topic, const std::string& text);
  void count_site();
  bool quarantine_over_by_now(int source) const;
  void start_controller(Controller& c);
  void controller_tick(Controller& c);
  void new_intent(Controller& c);
  void publish_split(Controller& c, const Intent& intent);
  void start_forwarder(Forwarder& f);
  void tell(Forwarder& f, std::vector<bus::Change> told);
  void check_merge(const Forwarder& f) const;
  void acknowledge(Forwarder& f);
  void hear_ack(Controller& c, Forwarder& f, const std::function<bus::Effects(bus::SubscriberState&)>& input);
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
  void take_split(Forwarder& f, const bus::Change& change);
  void pause(Node& node);
  void wake(Node& node);
  Node& any_node();
  void fault();
  void accept_smaller_epochs();                  // an operator's word, after a lost disk and a clock set back
  void quiet();
  void end_quarantines();
  void check_equal(bool quarantine_over);
  void run_until(MonoTime end);

  Network net_;
  History& history_of(int source) { return source == registry_node ? modules_history_ : source == site_node ? site_history_ : splits_history_; }
  static const char* class_of(int source) { return source == registry_node || source == site_node ? "modules" : "splits"; }

  History modules_history_, splits_history_, site_history_;
  std::array<History, forwarders_count> applied_histories_;
  Registry registry_;
  Site site_;
  std::array<Controller, controllers_count> controllers_;
  std::array<Forwarder, forwarders_count> forwarders_;
  std::array<Module, modules_count + twins_count> modules_;      // the twins claim the first ones' names
  Elected elected_;
  std::map<std::uint64_t, std::uint64_t> split_owner_of_epoch_;
  std::array<std::vector<std::vector<bus::SyncChunk>>, sources_count> old_answers_;   // snapshots that may be given a second time
  Duration wall_ahead_{};                        // of the simulated clock
  bool one_owner_ = false;                       // both controllers carry one owner id, as copies on one store do
  bool twins_over_ = false;
  bool frozen_ = false;                          // owners change nothing more
  std::uint64_t crash_permille_ = 0;
};

}  // namespace nlb::sim
