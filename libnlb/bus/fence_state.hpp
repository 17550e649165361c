// Which of several owners of one topic class is right: the one with the greatest epoch seen so far, its fencing token. An old leader
// that wakes up after its successor was elected is refused here, whatever it says (Kleppmann, "How to do distributed locking", 2016).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nlb::bus {

class FenceState {            // one owner, no locks
 public:
  // May this owner's word on the class be taken? Classes that every daemon writes for itself are always admitted.
  bool admit(std::string_view topic_class, std::uint64_t epoch, std::uint64_t owner);
  std::uint64_t epoch(std::string_view topic_class) const;   // 0: nobody yet
  std::uint64_t refused() const { return refused_; }

 private:
  struct Holder { std::uint64_t epoch = 0, owner = 0; };
  std::map<std::string, Holder, std::less<>> holders_;       // at most as many as there are fenced classes, and 32 unknown ones
  std::uint64_t refused_ = 0;
};

}  // namespace nlb::bus
