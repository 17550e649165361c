// The open WatchModules streams: each gets the modules that are there, a SYNCED, then every change of its service, and an ALIVE when
// nothing has happened for `alive_interval`. A change is encoded once, however many watch. Belongs to the loop's thread.
#pragma once

#include <memory>
#include <vector>

#include "libnlb/registry/membership.hpp"
#include "libnlb/rpc/registry_service.hpp"

namespace nlb::registrar {

inline constexpr Duration alive_interval = std::chrono::seconds(10);

class Watchers {
 public:
  explicit Watchers(MonoTime now) : told_alive_(now) {}
  void add(std::shared_ptr<rpc::Watcher> watcher, const registry::Membership& members, std::uint64_t epoch);
  void tell(const registry::Notice& notice, std::uint64_t epoch);
  void tick(std::uint64_t epoch, std::uint64_t revision, MonoTime now);   // forgets those that are over, says ALIVE to the others
  void end_all(const grpc::Status& status);

 private:
  std::vector<std::shared_ptr<rpc::Watcher>> all_;
  MonoTime told_alive_;
};

}  // namespace nlb::registrar
