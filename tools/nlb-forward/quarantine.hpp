// Modules that their registry no longer names, but perhaps only because it has lost its memory: they stay for as long as they answer.
// Each is asked what the registry would ask, from here; `fall` bad answers in a row, and it is no longer believed. Belongs to the
// control thread.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "libnlb/check/checker.hpp"
#include "libnlb/daemon/loop.hpp"
#include "tools/nlb-forward/facts.hpp"

namespace nlb::forward {

class Quarantine {
 public:
  // `release`: this topic's module doesn't answer.
  Quarantine(daemon::ControlLoop& loop, std::function<void(const std::string& topic)> release);

  void follow(const Facts& facts);       // call when facts have changed
  std::size_t size() const { return watched_.size(); }
  std::uint64_t released() const { return released_; }

 private:
  struct Watched { std::string topic; Endpoint address; registry::HealthSpec check; registry::HealthFacts health; bool dropped = false; };
  void answer(const std::string& id, const registry::CheckAnswer& answer);

  std::function<void(const std::string&)> release_;
  std::map<std::string, Watched> watched_;   // by module id
  std::uint64_t released_ = 0;
  check::Checker checker_;
};

}  // namespace nlb::forward
