// The copy of one owner's facts: what is known, up to which number, and what is in quarantine. subscriber_state decides when something is
// applied; here is only what applying does. No socket, no clock.
//
// Quarantine. A class that has one owner and comes back from a new epoch empty, or with less than half of its keys, is not believed: the
// missing keys stay, marked, until the owner names them, the holder releases them, or the owner has named at least half of what was known
// for `quarantine_settle`. Thread rule: one owner, no locks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/bus/codec_sync.hpp"

namespace nlb::bus {

struct Fact {
  Payload payload;
  std::uint64_t seq = 0;
  MonoTime made_at;
  bool quarantined = false;
};
using Facts = std::map<std::string, Fact, std::less<>>;

struct Change {
  enum class Kind : std::uint8_t { put, gone, quarantined };
  Kind kind = Kind::put;
  std::string topic;
  Payload payload;                       // null for gone
  std::uint64_t epoch = 0;
  std::uint64_t owner = 0;
  MonoTime made_at;
  std::uint64_t seq = 0;                 // of the update; for a key that is gone without a word: of its last one
};

struct Copy {                            // what is worth keeping over a restart of the subscriber itself
  std::uint64_t epoch = 0, owner = 0;
  std::uint64_t seq = 0;                 // complete up to here
  Heads last;                            // and in these classes beyond it
  Facts facts;
  std::vector<std::string> classes{};    // that it holds; set and judged by subscriber_state
};

enum class Hearing : std::uint8_t { live, catching_up, silent };      // of an owner

// Whether an owner that came back with too little is to be believed about the rest: once it has named half of what was known for `settle`.
// Catching up interrupts nothing: who misses a message now and then would otherwise doubt for ever. Silence, and naming less, begin anew.
struct Doubt {
  std::size_t known = 0;
  std::optional<MonoTime> believable_since{};
  bool over(std::size_t named, Hearing hearing, MonoTime now, Duration settle);
};

struct CopyCounters { std::uint64_t applied = 0, epochs = 0, quarantines = 0, over_limit = 0; };

class CopyState {
 public:
  CopyState(std::size_t facts_max, Duration quarantine_settle) : facts_max_(facts_max), quarantine_settle_(quarantine_settle) {}

  void preload(Copy copy);
  Copy copy() const { return {epoch_, owner_, floor_, last_, facts_, {}}; }

  void put(const Update& update, std::vector<Change>& changes);         // one message of the news
  void catch_up(const std::vector<SyncChunk>& chunks, std::vector<Change>& changes);            // a delta: the last word on each guarded key
  void swap_in(const std::vector<SyncChunk>& chunks, MonoTime now, std::vector<Change>& changes);   // a snapshot, whole
  void complete_to(std::uint64_t seq);                                  // a beat says so: nothing is missing up to there
  void release(std::string_view topic, std::vector<Change>& changes);   // the holder no longer believes a quarantined key
  void count_over_limit() { ++counters_.over_limit; }
  void settle(MonoTime now, Hearing hearing, std::vector<Change>& changes);   // call often: ends quarantines whose time has come

  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t owner() const { return owner_; }
  std::uint64_t floor() const { return floor_; }
  std::uint64_t newest() const;                                 // the greatest number applied in any class
  std::uint64_t last_of(std::string_view topic_class) const;    // every update of the class up to here is applied
  const Facts& facts() const { return facts_; }
  std::size_t quarantined() const { return quarantined_; }
  const CopyCounters& counters() const { return counters_; }

 private:
  enum class Say : std::uint8_t { everything, differences };

  void apply(const Update& update, Say how, std::vector<Change>& changes);
  void drop_unnamed(const std::vector<SyncChunk>& chunks, bool new_epoch, std::vector<Change>& changes);
  void remove(Facts::iterator at, std::vector<Change>& changes);

  std::size_t facts_max_;
  Duration quarantine_settle_;
  std::uint64_t epoch_ = 0, owner_ = 0;
  Facts facts_;
  std::uint64_t floor_ = 0;              // everything up to here is applied, in every class
  Heads last_;                           // and beyond it, by class
  std::map<std::string, Doubt, std::less<>> quarantines_;   // by class
  std::size_t quarantined_ = 0;
  CopyCounters counters_;
};

}  // namespace nlb::bus
