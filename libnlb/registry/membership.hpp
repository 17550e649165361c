// The membership: who is a module now. Registrations, heartbeats, health and the passing of time go in; notices of what changed come
// out. It decides; the caller keeps the store, the bus and the sockets, and acts on the notices.
//
// Leases. A module stays while it beats: its lease ends one lease time after the later of its last beat and the moment since when this
// registry has been able to hear at all (start, take-over, or the end of a pause of our own). So nobody is evicted within one lease time
// of a restart, and a stopped and continued registry doesn't blame the modules for its own sleep.
//
// What a lease that is over means is in silence.hpp.
//
// Names. The key is service and name. A registration with a greater incarnation takes the name over, a smaller one is refused, and
// beats with the old lease are told to stop. Whom an operator took out stays out, see dismissals.hpp; so does who is still on its way
// out (draining) and registers again. Thread rule: one owner, no locks. Beats cost O(1), everything else O(log n).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libnlb/registry/admission.hpp"
#include "libnlb/registry/census.hpp"
#include "libnlb/registry/departure.hpp"
#include "libnlb/registry/dismissals.hpp"
#include "libnlb/registry/health.hpp"
#include "libnlb/registry/load.hpp"
#include "libnlb/registry/silence.hpp"

namespace nlb::registry {

inline constexpr Duration pause_max = std::chrono::seconds(2);      // a longer hole between two ticks means that we slept
inline constexpr Duration drain_max = std::chrono::hours(24);      // longest wait for the sessions of a module that is leaving

using Listed = std::map<std::string, std::string>;                  // module name to the reason it is drained for

struct Notice {
  enum class Kind : std::uint8_t { added, changed, removed };
  Kind kind = Kind::added;
  ModulePtr module;           // the new record; for removed: the last one
  std::string reason;
  std::uint64_t revision = 0; // counts every change since the start
};

struct Registered {
  ModulePtr module;
  std::uint64_t lease_id = 0;
  bool created = false;
};

enum class Wish : std::uint8_t { none, drain, stop };
struct BeatReply {
  Wish wish = Wish::none;
  std::string reason;
  Duration lease{};
  std::optional<Duration> drain_remaining;
  ModuleState state;
};

struct MemberView {           // one member, for lists and statistics; valid until the next change
  const ModulePtr& module;
  const HealthFacts& health;
  const Load& load;
  MonoTime load_at;
  MonoTime lease_end;
  std::uint64_t lease_id;
  std::uint64_t heartbeats;
  const std::string& caller;
  bool operator_drain;
};

// What the store keeps of a name. What is left of its time (the lease's, the dismissal's) isn't stored: a restart grants all of it again.
struct Stored {
  Module module;              // with its state
  std::uint64_t lease_id = 0;
  std::string caller;
  bool operator_drain = false;
  bool dismissed = false;     // an operator took it out: it is on its way out
  bool gone = false;          // or out: a dismissal, no member
};

struct Counters {
  std::uint64_t registrations = 0, heartbeats = 0, expirations = 0, suspicions = 0, removals = 0, pauses = 0;
  std::array<std::uint64_t, refusal_names.size()> refusals{};
};

class Membership {
 public:
  // `lease_seed` makes lease ids hard to guess: take it from the system's random source.
  Membership(Limits limits, std::uint64_t lease_seed, MonoTime now);

  // `readmit`: an operator's word, which ends an operator's dismissal of the name.
  Outcome<Registered> add(Module module, const Caller& caller, MonoTime now, bool readmit = false);

  // A name from the store, after a restart: as it was, with a full lease.
  void restore(Stored stored, MonoTime now);
  std::optional<Stored> stored(const ModuleKey& key) const;      // what the store is to keep of the name now; nothing: forget it

  // Refused as unknown_module when the name isn't known (register again), here and below, and as bad_field when it is none. An old lease is answered with Wish::stop.
  Outcome<BeatReply> heartbeat(std::string_view id, std::uint64_t lease_id, const std::optional<Load>& load, MonoTime now);

  Outcome<ModuleState> report(std::string_view id, std::uint64_t lease_id, Health health, std::string reason);
  Outcome<ModuleState> checked(std::string_view id, const CheckAnswer& answer);

  // lease_id 0 is the operator. `drain`: how long the sessions may go on; absent: gone at once.
  Outcome<ModuleState> remove(std::string_view id, std::uint64_t lease_id, std::optional<Duration> drain, std::string reason, MonoTime now);
  // Takes an operator's `remove` back: who drains stays, who is out may register again. unknown_module: nobody was taken out.
  Outcome<void> readmit(std::string_view id);
  Outcome<ModuleState> set_drain(std::string_view id, bool drain, std::string reason);   // an operator's; survives a new registration
  // The scaler's word on one service: who is listed is drained, who was listed before and isn't any more is called back. An operator's
  // drain stays, and so does a module's own leaving. O(members)
  void drain_listed(std::string_view service, const Listed& listed);
  void sessions_ended(std::string_view id);   // forwarders report none left: a module that is leaving needn't wait for its deadline

  // Moves time on. Call it at least twice per pause_max; calls with an older `now` change nothing.
  void tick(MonoTime now);
  std::optional<MonoTime> next_deadline() const;

  std::vector<Notice> take_notices();
  std::vector<ModuleKey> take_forgotten();    // dismissals that ended, without a notice: the store may forget them

  std::optional<MemberView> find(std::string_view id) const;
  std::vector<ModulePtr> list() const;        // sorted by service, then name; O(n log n)
  std::vector<MemberView> views() const;      // unsorted
  std::size_t size() const { return members_.size(); }
  std::uint64_t revision() const { return revision_; }
  const Counters& counters() const { return counters_; }
  void count_refusal(RefusalKind kind) { ++counters_.refusals[static_cast<std::size_t>(kind)]; }      // also of a record that can't be read
  const Dismissals& dismissals() const { return dismissals_; }
  const Limits& limits() const { return limits_; }
  void set_limits(Limits limits) { limits_ = std::move(limits); }   // members that are over a new limit stay

 private:
  struct Member;
  using Due = std::multimap<MonoTime, Member*>;
  struct Member {
    ModulePtr module;
    std::string caller;
    std::uint64_t lease_id = 0;
    MonoTime renewed_at;
    bool restored = false;       // from the store, and not heard since
    Due::iterator due;
    std::optional<MonoTime> suspect_since;
    Departure departure, told;   // told: as of the last notice
    HealthFacts health;
    Load load;
    MonoTime load_at;
    std::uint64_t heartbeats = 0;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class V>
  using ByText = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

  static Census::Entry counted(const Member& member) { return {*member.module, member.caller}; }
  Outcome<Registered> renew(Member& member, Module module, const Caller& caller, MonoTime now, bool readmit);
  Member& insert(Module module, std::string caller, std::uint64_t lease_id, MonoTime now);
  template <class T>
  Outcome<T> refuse(Refusal refusal);
  Outcome<Member*> member_of(std::string_view id, std::uint64_t lease_id);
  void publish(Member& member, Notice::Kind kind, std::string reason);
  bool has_news(const Member& member) const;
  void publish_if_changed(Member& member, std::string reason);
  ModuleState state_of(const Member& member) const;
  MonoTime lease_end(const Member& member) const;
  MonoTime deadline(const Member& member) const;
  void reschedule(Member& member, MonoTime at);
  void settle(Member& member, MonoTime now);
  void lease_over(Member& member, MonoTime now);
  void set_suspect(Member& member, std::optional<MonoTime> since);
  void erase(Member& member, std::string reason);
  void dismiss(const Member& member);
  void forget(std::vector<ModuleKey> keys);
  std::uint64_t new_lease_id();
  std::string shortened(std::string text) const;
  MemberView view(const Member& member) const;

  Limits limits_;
  std::uint64_t lease_seed_, leases_ = 0, revision_ = 0;
  MonoTime hearing_since_, ticked_at_;
  ByText<Member> members_;                // by "service/name"; nodes never move, so Due may point at them
  Due due_;                               // one entry a member, at or before its deadline: a beat doesn't touch it
  Census census_;
  Dismissals dismissals_;
  std::vector<ModuleKey> forgotten_;      // taken after every call
  std::vector<Notice> notices_;           // taken after every call; at most one a member and call
  Counters counters_;
};

std::optional<ModuleKey> parse_module_id(std::string_view id);

}  // namespace nlb::registry
