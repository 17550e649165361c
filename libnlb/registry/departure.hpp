// By whose word a module gets no new sessions, and whether it leaves: a drain without an end (an operator's or nlb-scale's), its own
// leaving, an operator's unregistering. They may overlap; each is taken back by itself. The words only: sessions and time are the
// membership's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libnlb/core/time.hpp"

namespace nlb::registry {

struct Departure {
  static constexpr std::string_view scaler = "nlb-scale: ";      // begins the reason of each of its drains, and is kept with it

  bool drained = false;                    // an operator's drain, or nlb-scale's
  std::optional<MonoTime> remove_at;       // it leaves: when its sessions have ended, and then at the latest
  bool dismissed = false;                  // it leaves because an operator took it out: it may not come back
  std::string reason;                      // of the last word; for people

  bool operator==(const Departure&) const = default;
  bool draining() const { return drained || remove_at.has_value(); }

  void leave(MonoTime at, bool by_operator, std::string why) {
    remove_at = at;
    dismissed |= by_operator;              // who then leaves by itself was taken out all the same
    reason = std::move(why);
  }
  void stay() {
    remove_at.reset();
    dismissed = false;
  }
  void drain(std::string why) {
    drained = true;
    reason = std::move(why);
  }
  // The scaler's list: with a reason for the module on it, none for one that isn't (any more). An operator's drain stays.
  void listed(const std::string* why) {
    if (why && !drained) drain(std::string(scaler) + *why);
    else if (!why && drained && reason.starts_with(scaler)) drained = false;
  }
};

}  // namespace nlb::registry
