// How many modules there are: in all, of each protocol, of each caller and of each service. It says whether there is room for one more,
// and whether so many of a service are silent that the network is the likelier culprit. It counts what it is told and knows no module by
// name: who is a module, and what follows from a silence, is the membership's. Thread rule: one owner, no locks. Every call is O(1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "libnlb/registry/admission.hpp"

namespace nlb::registry {

inline constexpr std::uint32_t mass_percent = 15;      // of a service's modules: when more are silent, and
inline constexpr std::uint32_t mass_least = 2;         // at least so many, it isn't they who are broken

class Census {
 public:
  struct Entry {                    // what is counted of a module; refers, doesn't own
    const Module& module;
    const std::string& caller;      // who registered it
  };

  // Why there is no room for `wanted`: protocol_full, caller_full or registry_full; nothing when there is. It takes the place of `known`,
  // if that is given, so only what it doesn't share with it needs room.
  std::optional<Refusal> refuse(Entry wanted, std::optional<Entry> known, const Limits& limits) const;

  void add(Entry entry);
  void remove(Entry entry);         // one that was added, and isn't silent (any more)

  void falls_silent(const std::string& service);     // one of its modules, which may
  void speaks_again(const std::string& service);     // or
  void leaves_silent(const std::string& service);    // because it is removed; its silence counts on while neighbours are silent
  bool is_mass_silence(const std::string& service) const;

  std::uint32_t all() const { return all_; }
  std::uint32_t of_service(const std::string& service) const { return at(service).modules; }

 private:
  struct Service { std::uint32_t modules = 0, silent = 0, lost = 0; };
  Service at(const std::string& service) const;
  void end_silence(Service& service);

  std::uint32_t all_ = 0;
  std::array<std::uint32_t, protocol_count> protocols_{};
  std::unordered_map<std::string, std::uint32_t> callers_;
  std::unordered_map<std::string, Service> services_;
};

}  // namespace nlb::registry
