// Who leads, of several processes that could: the one whose key exists. campaign: create_revision(key) == 0 -> put with a lease; the
// create revision is the owner epoch and fencing token. A leader that stops beating loses its key when the lease ends; one that only
// sleeps finds that out here, by its own clock, and in any case when the store refuses its fenced writes. Locks on a lease alone are not
// enough (Jepsen: etcd 3.4.3, 2020), so put fence() into every transaction.
//
// Passive: the caller calls tick() at least every ttl/3, from one thread (campaign.hpp has a thread that does).
#pragma once

#include <optional>
#include <string>

#include "libnlb/store/clock.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::store {

struct ElectionOptions {
  std::string key = "leader";
  std::string name;                                // who we are, for people: the key's value
  Duration ttl = std::chrono::seconds(10);
};

class Election {
 public:
  enum class Notice : std::uint8_t { none, won, lost };

  Election(Store& store, ElectionOptions options, Clock clock = steady_now);   // `store` outlives it

  // Campaigns when nobody leads, beats when we do. `won`: fence() is valid from now. `lost`: stop acting; campaigning goes on.
  // An unreachable store is no notice as long as our lease can't have ended; last_error() has it.
  Notice tick();
  // Leads by our own clock, at this moment: the lease, counted from when its last good beat was *sent*, isn't over.
  bool leads() const;
  MonoTime leads_until() const { return leased_until_; }
  Condition fence() const;                         // precondition: token() != 0
  Revision token() const { return token_; }        // 0: not leading; else greater than that of every earlier leader
  const std::optional<Error>& last_error() const { return error_; }
  Result<std::optional<Entry>> leader();           // the key: value is the leader's name, created its token
  Result<> resign();                               // gives the key back at once; tick() campaigns again

 private:
  Notice campaign(MonoTime now);
  Notice beat(MonoTime now);
  Notice lose();
  Result<> acquire(MonoTime now);

  Store& store_;
  ElectionOptions options_;
  Clock clock_;
  Lease lease_;
  Revision token_ = 0;
  MonoTime leased_until_{};
  std::optional<Error> error_;
};

}  // namespace nlb::store
