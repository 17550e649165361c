#include "libnlb/store/campaign.hpp"

namespace nlb::store {

Campaign::Campaign(Store& store, ElectionOptions options, Told told)
    : election_(store, options), ttl_(options.ttl), told_(std::move(told)), thread_([this] { run(); }) {}

Campaign::~Campaign() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  (void)election_.resign();      // if it can't be told, the lease ends by itself
}

void Campaign::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    tell(election_.tick());
    lock.lock();
    const auto pause = election_.token() != 0 ? ttl_ / 3 : ttl_ / 10;
    changed_.wait_for(lock, pause, [this] { return stop_; });
  }
}

void Campaign::tell(Election::Notice notice) {
  Leadership state;
  {
    const std::lock_guard lock(mutex_);
    if (election_.token() != 0) state_.fence = election_.fence();
    state_.leads = election_.token() != 0;
    leads_until_ = election_.leads_until();
    state = state_;
  }
  if (notice != Election::Notice::none) told_(state);
}

Leadership Campaign::now() const {
  const std::lock_guard lock(mutex_);
  auto state = state_;
  state.leads = state.leads && steady_now() < leads_until_;
  return state;
}

}  // namespace nlb::store
