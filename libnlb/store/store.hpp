// Where facts live that must survive a process: keys to bytes with revisions, transactions, leases, watches, and a journal. The model is
// etcd's (https://etcd.io/docs/v3.4/learning/data_model/), because it is the smallest one with fencing; SQLite and the in-memory twin
// answer exactly alike, and one conformance suite says so. Only the owner of a fact writes it; the bus carries it to the others.
//
// Revisions: the store counts its changing transactions; every key remembers the revision that created it and the one that changed it
// last. A leader's create revision is its fencing token (election.hpp): a write that carries `created_at(leader key, token)` as a
// condition is refused as soon as another leads, however late it arrives (Kleppmann, "How to do distributed locking", 2016).
//
// Errors, of every call: unavailable (no etcd answers; the disk is full), timeout (the outcome of a write isn't known: read it again),
// conflict (a condition didn't hold), not_found (the lease is gone), refused (etcd denies it), bad_input (over a limit; a damaged file).
//
// Threads: a Store may be called from any thread; calls block, at most for the disk's sync or the etcd timeout. A Watch belongs to one
// thread at a time and must not outlive its Store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::store {

using Revision = std::int64_t;   // 0: never
using LeaseId = std::int64_t;    // 0: none

inline constexpr std::size_t key_bytes_max = 1024;
inline constexpr std::size_t transaction_bytes_max = 1 << 20;   // keys and values together; etcd refuses requests above 1.5 MiB
inline constexpr std::size_t operations_max = 100;              // with journal records and conditions; etcd's limit is 128
inline constexpr std::size_t history_events_max = 10000;        // of the embedded stores; older ones are compacted

struct Entry {
  std::string key, value;
  Revision created = 0, modified = 0;
  LeaseId lease = 0;
  bool operator==(const Entry&) const = default;
};
struct Entries {
  std::vector<Entry> entries;    // in the order of their keys' bytes
  Revision revision = 0;         // of the store when they were read: watch from revision + 1
};

struct Condition {
  enum class Of : std::uint8_t { created, modified };
  std::string key;
  Of of = Of::created;
  Revision revision = 0;         // 0: the key doesn't exist
};
inline Condition absent(std::string key) { return {std::move(key), Condition::Of::created, 0}; }
inline Condition created_at(std::string key, Revision revision) { return {std::move(key), Condition::Of::created, revision}; }
inline Condition modified_at(std::string key, Revision revision) { return {std::move(key), Condition::Of::modified, revision}; }

struct Operation {
  enum class Kind : std::uint8_t { put, remove };
  Kind kind = Kind::put;
  std::string key, value;
  LeaseId lease = 0;
};
inline Operation put_of(std::string key, std::string value, LeaseId lease = 0) {
  return {Operation::Kind::put, std::move(key), std::move(value), lease};
}
inline Operation remove_of(std::string key) { return {Operation::Kind::remove, std::move(key), {}, 0}; }

struct JournalRecord {           // journal, then act, then journal the outcome
  std::uint64_t seq = 0;         // given by the store, from 1, rising; may have holes
  MonoTime at_mono;
  WallTime at_wall;
  std::string command;           // the id its client made; empty: nobody asked
  std::string kind, body;
  bool operator==(const JournalRecord&) const = default;
};

struct Transaction {             // all of it, or nothing; a key at most once in `then`
  std::vector<Condition> when;   // all must hold
  std::vector<Operation> then;
  std::vector<JournalRecord> journal;
};
struct Committed {
  Revision revision = 0;         // of this change; the store's, when nothing changed
  std::uint64_t journal_seq = 0; // of the last record appended; 0: none
};

struct Event {
  bool removed = false;          // then only entry.key and entry.modified (when it went) are set
  Entry entry;
};
struct Batch {                   // whole revisions, in order; empty: nothing happened in time
  std::vector<Event> events;
  Revision revision = 0;         // all up to here has been told
  bool compacted = false;        // the history from where you were is gone: range() again and watch from its revision + 1
};
class Watch {
 public:
  virtual ~Watch() = default;
  // Waits at most `wait`. unavailable: cut off, it reconnects by itself and loses nothing: call again.
  virtual Result<Batch> next(Duration wait) = 0;
};

// What a restart of an embedded store does to a lease. etcd outlives its clients: there a lease ends its ttl after the last beat.
enum class AfterRestart : std::uint8_t { renewed, ended };   // renewed: a full ttl again, since nobody could beat meanwhile
struct Lease {
  LeaseId id = 0;
  Duration ttl{};                // what is in force: etcd counts whole seconds, at least two
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<std::optional<Entry>> get(const std::string& key) = 0;
  virtual Result<Entries> range(const std::string& prefix) = 0;   // one consistent state; "" is everything
  virtual Result<Committed> commit(const Transaction& transaction) = 0;
  Result<Revision> put(std::string key, std::string value, LeaseId lease = 0);
  Result<Revision> remove(std::string key);                       // no error when it isn't there

  // Leases run on the store's monotonic clock. Keys that were last put with a lease are removed, in one revision, when it ends.
  virtual Result<Lease> grant(Duration ttl, AfterRestart after = AfterRestart::renewed) = 0;
  virtual Result<Lease> keep_alive(LeaseId lease) = 0;            // one beat: a full ttl from now; not_found: it has ended
  virtual Result<> revoke(LeaseId lease) = 0;                     // ends it now; not_found: it had ended

  virtual Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from) = 0;   // from 0: from now on
  virtual Result<> compact(Revision before) = 0;                  // forgets the history before (in etcd: everybody's); values stay

  virtual Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) = 0;   // oldest first
  virtual Result<> trim_journal(std::uint64_t before_seq) = 0;
};

// The rules that hold for every store: limits, no key twice. bad_input names the key.
Result<> check(const Transaction& transaction);
// The conflict's text: `is` is the revision that the condition met.
Error conflict_of(const Condition& condition, Revision is);

}  // namespace nlb::store
