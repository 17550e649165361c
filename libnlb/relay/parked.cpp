// Connections to servers that speak first whose client turned out not to want them: kept for a moment and handed to the next client.
// Abandoning them would count as interrupted handshakes (MySQL's max_connect_errors blocks a host after 100 in a row), and the next client
// saves the connect and the greeting. A parked connection holds its module's slot; it is younger than the server's connect_timeout.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libnlb/inspect/first_answer.hpp"
#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

constexpr std::size_t parked_max = 16;
constexpr Tick parked_age_ms = 8000;   // MySQL's connect_timeout is 10 s
constexpr std::size_t greeting_bytes_max = 512;

}  // namespace

// Takes the session's module connection away from it. False: there is nothing worth keeping.
bool Worker::park(Session& s) {
  if (s.phase != Phase::greeting || s.module < 0 || parked_.size() >= parked_max || stopping_ || !proxy_header_for(s).empty()) return false;
  auto parked = std::make_unique<Parked>();
  parked->descriptor = s.module;
  parked->slot = std::move(s.slot);
  parked->until_ms = tick_ + parked_age_ms;
  if (s.held != nullptr) {
    const auto early = s.held->remainder[1].view();
    parked->greeting.assign(early.begin(), early.end());
    s.held->remainder[1].clear();
  }
  s.module = -1;
  watch(parked->descriptor, parked.get(), Tag::parked, EPOLL_CTL_MOD);
  if (parked_timer_.previous == nullptr) wheel_.set(parked_timer_, parked->until_ms, tick_);
  parked_.push_back(std::move(parked));
  counters_.greeted_kept.add();
  return true;
}

// The greeting, or the end of a parked connection: often both at once, where the server refuses with an error and closes.
void Worker::on_parked_event(Parked& parked) {
  std::uint8_t bytes[greeting_bytes_max];
  while (parked.descriptor >= 0) {
    const auto n = recv(parked.descriptor, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0 || parked.greeting.size() + static_cast<std::size_t>(n) > greeting_bytes_max) return drop_parked(parked);
    parked.greeting.insert(parked.greeting.end(), bytes, bytes + n);
    const auto check = inspect::check_greeting(parked.greeting);
    if (check == inspect::GreetingCheck::other || check == inspect::GreetingCheck::error) drop_parked(parked);   // no client's fault, nor its news
  }
}

void Worker::drop_parked(Parked& parked) {
  close(parked.descriptor);
  parked.descriptor = -1;
  parked.slot.release();
  const auto at = std::find_if(parked_.begin(), parked_.end(), [&](const auto& p) { return p.get() == &parked; });
  parked_resting_.push_back(std::move(*at));   // an event of this batch may still point at it
  parked_.erase(at);
}

void Worker::expire_parked() {
  const auto due = [&](const auto& p) { return !tick_before(tick_, p->until_ms); };
  for (auto it = std::find_if(parked_.begin(), parked_.end(), due); it != parked_.end(); it = std::find_if(parked_.begin(), parked_.end(), due))
    drop_parked(**it);
  if (!parked_.empty()) wheel_.set(parked_timer_, parked_.front()->until_ms, tick_);
}

// Gives the session a parked connection to the module that was picked for it, if there is one.
bool Worker::adopt_parked(Session& s) {
  if (parked_.empty() || !s.has(flag::silent_client)) return false;
  const auto same = [&](const auto& p) { return p->slot.module() == s.slot.module(); };
  const auto at = std::find_if(parked_.begin(), parked_.end(), same);
  if (at == parked_.end()) return false;
  s.module = std::exchange((*at)->descriptor, -1);
  (*at)->slot.release();   // the session has reserved its own
  if (!(*at)->greeting.empty()) held_of(s).remainder[1].append((*at)->greeting);
  watch(s.module, &s, Tag::module, EPOLL_CTL_MOD);
  parked_resting_.push_back(std::move(*at));
  parked_.erase(at);
  counters_.greeted_reused.add();
  connected(s);
  if (s.held != nullptr && !s.held->remainder[1].empty()) pass_greeting(s);
  return true;
}

}  // namespace nlb::relay
