// Keeps the live states of modules and services across tables: a reload or a bus update builds a new table, the
// counts go on. Owned and called by the control thread alone; workers reach states only through tables and slots.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/core/time.hpp"
#include "libnlb/route/client_sketch.hpp"
#include "libnlb/route/module_state.hpp"

namespace nlb::route {

struct alignas(64) ServiceState {   // shared by workers, relaxed
  std::atomic<std::uint64_t> turn{0};                  // round robin
  std::atomic<std::int64_t> ejections_until{0};        // no module is ejected past this time: the usual pick asks nothing more
  std::atomic<std::uint64_t> version_fallbacks{0};     // sessions that a split meant for a version without usable modules
  std::atomic<std::uint32_t> queued{0};                // sessions that wait for a module with a free place
  std::atomic<std::uint64_t> panics{0};                // picks that ignored ejections
  ClientSketch clients;                                // of the running split, where it keeps clients together
};

class Roster {
 public:
  explicit Roster(std::size_t workers) : workers_(workers) {}

  std::shared_ptr<ModuleState> module(const Identity& identity, MonoTime now);   // the same state for the same identity
  std::shared_ptr<ServiceState> service(const std::string& name);
  // Call once per new table with everything that it holds: what is missing is leaving from now on.
  void keep_only(const std::vector<std::shared_ptr<ModuleState>>& present, MonoTime now);
  // Frees states that no table holds, have no session, and left at least `grace` ago. Returns how many.
  std::size_t collect(MonoTime now, Duration grace);

  std::vector<std::shared_ptr<ModuleState>> modules() const;   // everything alive, leaving ones too: for metrics and status
  std::size_t workers() const { return workers_; }
  bool empty() const { return modules_.empty(); }

 private:
  struct Entry {
    std::shared_ptr<ModuleState> state;
    bool present = true;
    MonoTime left{};
  };
  std::size_t workers_;
  std::uint32_t next_number_ = 1;
  std::multimap<std::pair<std::string, std::string>, Entry> modules_;   // by service and name
  std::map<std::string, std::shared_ptr<ServiceState>> services_;
};

}  // namespace nlb::route
