// How many sessions each module has, as the forwarders report them on the bus: the newest report of each forwarder, added up.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "libnlb/core/time.hpp"

namespace nlb::registrar {

class Sessions {
 public:
  void report(const std::string& topic, std::string_view payload, MonoTime now);   // traffic/<forwarder>/<service>/<version>
  void forget(const std::string& topic);
  std::uint64_t of(const std::string& module) const;          // "service/name"; 0 when nobody speaks of it
  // Every forwarder that speaks of it has said after `since` that none is left. True when nobody speaks of it, too: who asks has to have
  // heard long enough to know the forwarders.
  bool ended(const std::string& module, MonoTime since) const;
  std::size_t reports() const { return reports_.size(); }

 private:
  struct Report { MonoTime at; std::map<std::string, std::uint64_t, std::less<>> active; };      // by module name
  std::map<std::string, std::map<std::string, Report>> by_service_;      // by service, then topic
  std::map<std::string, std::string> reports_;                           // topic to service
};

}  // namespace nlb::registrar
