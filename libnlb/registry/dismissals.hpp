// Whom an operator took out, so that they stay out: a process goes on with its heartbeats after its name was unregistered, and would take
// its place again at the next one. It is told to stop instead, and its registrations are refused, until a newer process registers under
// the name, or an operator readmits it. Nothing is kept for ever: who hasn't been heard of for `dismissal_max` is forgotten, and of more
// than `dismissed_max` the one that has been silent longest. It keeps and answers; when to dismiss, and the store, are the membership's.
//
// One is kept by name: the last record and the lease of the process that was taken out, in the order in which they were last heard of.
// Thread rule: one owner, no locks.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/registry/admission.hpp"
#include "libnlb/registry/module.hpp"

namespace nlb::registry {

inline constexpr Duration dismissal_max = std::chrono::hours(24);      // after the last sign of life; longer than any lease
inline constexpr std::size_t dismissed_max = 10000;

struct Dismissal {
  ModulePtr module;              // the last record; state.reason says why it was taken out
  std::uint64_t lease_id = 0;
  MonoTime heard_at;             // when it was taken out, or last knocked

  // Whether this registration comes from the process that was taken out, or from an older one. Without an incarnation another address
  // is a newer process, as everywhere.
  bool covers(const Module& wanted) const {
    return wanted.incarnation == 0 ? wanted.data == module->data : wanted.incarnation <= module->incarnation;
  }
  Refusal refusal() const;       // what it is told
};

class Dismissals {
 public:
  // The names that had to be forgotten for it; an older dismissal of its name is replaced. O(log n), as all below but the list.
  std::vector<ModuleKey> add(Dismissal dismissal);
  const Dismissal* find(std::string_view id) const;       // by module_id; until the next change
  void heard(std::string_view id, MonoTime now);          // it knocked: its time begins anew
  bool remove(std::string_view id);                       // false: it wasn't there
  std::vector<ModuleKey> forget_silent(MonoTime now);     // and their names; cheap to call often

  const std::list<Dismissal>& list() const { return by_silence_; }      // longest silent first
  std::size_t size() const { return by_id_.size(); }
  std::uint64_t dropped() const { return dropped_; }      // for others' sake, since the start

 private:
  ModuleKey drop_longest_silent();

  std::list<Dismissal> by_silence_;
  std::map<std::string, std::list<Dismissal>::iterator, std::less<>> by_id_;
  std::uint64_t dropped_ = 0;
};

}  // namespace nlb::registry
