// The digest over everything that a SQLite store holds: the sum (mod 2^64) of a hash per row, so that a commit updates it in the cost of
// its own rows, hashed with the counters. Against damage, not against people: the key is no secret.
#pragma once

#include <cstdint>

#include "libnlb/core/hash.hpp"
#include "libnlb/store/model.hpp"

namespace nlb::store {

class RowHash {
 public:
  explicit RowHash(char table) : bytes_(1, table) {}
  RowHash& add(std::int64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift));
    return *this;
  }
  RowHash& add(const std::string& value) {
    add(static_cast<std::int64_t>(value.size()));
    bytes_ += value;
    return *this;
  }
  std::uint64_t value() const { return siphash(SipKey{'n', 'l', 'b', ' ', 's', 't', 'o', 'r', 'e', ' ', 'd', 'i', 'g', 'e', 's', 't'}, as_bytes(bytes_)); }

 private:
  std::string bytes_;
};

inline std::uint64_t hash_of(const Entry& entry) {
  return RowHash('f').add(entry.key).add(entry.value).add(entry.created).add(entry.modified).add(entry.lease).value();
}
inline std::uint64_t hash_of(LeaseId id, const LeaseState& lease) {
  return RowHash('l').add(id).add(lease.ttl.count()).add(static_cast<std::int64_t>(lease.after)).value();
}
inline std::uint64_t hash_of(const JournalRecord& record) {
  return RowHash('j')
      .add(static_cast<std::int64_t>(record.seq))
      .add(record.at_mono.time_since_epoch().count())
      .add(record.at_wall.time_since_epoch().count())
      .add(record.command)
      .add(record.kind)
      .add(record.body)
      .value();
}

struct Counters {                 // the one row of table meta
  Revision revision = 1;
  LeaseId lease_last = 0;
  std::uint64_t journal_last = 0;
  std::uint64_t rows = 0;         // the sum; not stored, but hashed
};
inline std::int64_t digest_of(const Counters& counters) {
  return static_cast<std::int64_t>(RowHash('m')
                                       .add(counters.revision)
                                       .add(counters.lease_last)
                                       .add(static_cast<std::int64_t>(counters.journal_last))
                                       .add(static_cast<std::int64_t>(counters.rows))
                                       .value());
}

}  // namespace nlb::store
