// One service's modules by version, the split between the versions, and the order in which tiers and versions are
// tried.
//
// Without a split all versions are one pool. With one, the client's bucket names the version; when that has no
// usable module and the service allows it, the other versions follow, heaviest first, those without weight last:
// better an old version than none. A tier is passed over when none of its modules has a slot left; backups are used
// only when no other module is usable at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/route/pool.hpp"

namespace nlb::route {

struct PoolMember {
  ModuleState* state;
  std::uint32_t weight;
  std::string version;
  std::uint32_t priority;
  bool backup;
  bool other_zone;
  bool routable, draining;
};

class ServicePools {
 public:
  void add(PoolMember member) { members_.push_back(std::move(member)); }
  Result<> set_split(const Split& split);              // error: no version has a weight; then there is no split
  void finish(const ServiceOptions& options);          // after the last add() and set_split()

  PickResult pick(const Service& service, const PickQuestion& question) const;

 private:
  struct Share {
    std::uint32_t end = 0;                             // buckets below this, and not below the share before, belong to `pool`
    std::uint32_t pool = 0;
    std::vector<std::uint32_t> others;                 // pools to fall back to, in order
  };
  Pool make_pool(const std::string* version, const ServiceOptions& options) const;
  const Share& share_of(const Service& service, const PickQuestion& question) const;
  bool in_panic(const Service& service, MonoTime now) const;
  PickFailure why_none(bool any_usable) const;

  std::vector<PoolMember> members_;
  Split split_;
  bool has_split_ = false;
  std::vector<Pool> pools_;
  std::vector<Share> shares_;
  std::size_t routable_ = 0, draining_ = 0;
};

}  // namespace nlb::route
