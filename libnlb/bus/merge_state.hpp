// One word on each key out of the copies of several owners: what a process that follows many peers goes by. No socket, no clock.
//
//   1. Peers that carry one owner id are one owner's lives on different machines: leader and successor. The greatest epoch is right, whole:
//      what its predecessor alone still says is over, whatever the predecessor adds when it wakes up. (Kleppmann, "How to do distributed
//      locking", 2016.) A successor that names less than half of what the predecessor did is not believed about the rest: those keys stay
//      in quarantine until it names them, the holder releases them, or it has named half of them for `settle`.
//   2. Owners with different ids are strangers: a key that only one of them names is that one's. No owner's silence, death, restart or
//      empty snapshot touches another's.
//   3. Where two of them name one key, one that is not in quarantine comes first; then counts what the class's table says: the greater
//      epoch (and a smaller one never again, even when the greater takes the key back), or the order of the peers. The other's word is
//      kept and counts as soon as the first takes its own back; meanwhile it is a conflict, counted and named.
//
// It decides from the peers' copies as they are, and remembers only what it told. Thread rule: one owner, no locks. Cost of a change:
// O(peers x log facts); of a new epoch: all facts.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libnlb/bus/subscriber_state.hpp"

namespace nlb::bus {

class MergeState {
 public:
  using PeerNumber = std::size_t;              // the order in which they were added: the earlier one's word counts first

  explicit MergeState(Duration settle) : settle_(settle) {}

  // The state has to stay where it is until remove(). What was preloaded in it counts at once.
  PeerNumber add(const SubscriberState& peer, std::vector<Change>& told);
  void remove(PeerNumber peer, std::vector<Change>& told);       // its facts are gone, and its number is free

  // After each step of the peer's state: with that step's changes. Appends what they change here.
  void heard(PeerNumber peer, std::vector<Change> changes, std::vector<Change>& told);
  void tick(MonoTime now, std::vector<Change>& told);
  void release(std::string_view topic, std::vector<Change>& told);   // the holder no longer believes a predecessor's key

  std::optional<PeerNumber> speaker(std::string_view topic) const;   // whose word counts
  std::size_t size() const { return shown_.size(); }
  std::size_t kept() const;                                   // keys of predecessors in quarantine
  const std::set<std::string, std::less<>>& conflicts() const { return conflicts_; }   // keys that several owners name
  std::uint64_t refused() const { return refused_; }          // changes of predecessors, and of epochs below one that was right about the key

 private:
  enum class Standing : std::uint8_t { named, quarantined, predecessor, none };
  struct Peer {
    const SubscriberState* state = nullptr;    // null: removed
    std::uint64_t epoch = 0, owner = 0;        // as last looked at
    bool predecessor = false;
  };
  struct Shown {                               // what was told last
    PeerNumber peer = 0;
    bool quarantined = false;
    std::uint64_t epoch = 0, owner = 0, seq = 0;
    MonoTime made_at;
  };
  struct Right { std::optional<PeerNumber> peer; Standing standing = Standing::none; bool contested = false; };
  using OwnerClass = std::pair<std::uint64_t, std::string>;

  void begin_life(PeerNumber peer);
  void pass_on(Change change, PeerNumber peer, std::vector<Change>& told);
  void look(std::string_view topic, std::vector<Change>& told);       // tells what is different from what was told
  void look_at_all(std::vector<Change>& told);
  void show(std::string_view topic, const Right& now_right);
  Right right(std::string_view topic) const;
  Standing standing(const Peer& peer, std::string_view topic, const Fact& fact) const;
  std::size_t named(PeerNumber peer, std::string_view topic_class) const;

  Duration settle_;
  std::vector<Peer> peers_;
  std::map<std::string, Shown, std::less<>> shown_;
  std::map<OwnerClass, Doubt> kept_;           // handovers that are not believed yet
  std::set<std::string, std::less<>> released_;   // of the keys of predecessors
  std::map<std::string, std::uint64_t, std::less<>> fences_;   // the greatest epoch that was right, by key of an elected owner's class
  std::set<std::string, std::less<>> conflicts_;
  std::uint64_t refused_ = 0;
};

}  // namespace nlb::bus
