// An election in a thread of its own, so that the beats go on whatever the rest of the process does: one tick every third of the ttl,
// and every tenth while nobody is known to lead.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "libnlb/store/election.hpp"

namespace nlb::store {

struct Leadership {
  bool leads = false;
  Condition fence;               // of the last time we led
};

class Campaign {
 public:
  using Told = std::function<void(const Leadership&)>;

  // `told` is called on the campaign's thread for every won and lost (post it onward, don't work there). `store` outlives it.
  Campaign(Store& store, ElectionOptions options, Told told);
  ~Campaign();                   // resigns when it leads: the next one needn't wait for the lease to end

  Leadership now() const;        // any thread; `leads` by our own clock, at this moment

 private:
  void run();
  void tell(Election::Notice notice);

  Election election_;            // the thread's; reads of it by others are under mutex_
  const Duration ttl_;
  Told told_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  Leadership state_;
  MonoTime leads_until_{};
  std::thread thread_;
};

}  // namespace nlb::store
