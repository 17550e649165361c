// The store behind a thread of its own, so that a slow disk or an etcd that doesn't answer never stops the loop. Commits are made in the
// order they were given, each with the leader's fence; the answer comes back on the loop. Journal, then act: act in the answer.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "libnlb/store/election.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::tool {

struct Event {                 // one line of the history
  std::uint64_t revision = 0;
  WallTime at;
  std::string verb, service, version, text, actor, request, id;
};
std::string encode(const Event& event);
Event decode_event(const store::JournalRecord& record);

class Keeper {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Done = std::function<void(Result<std::uint64_t> revision)>;

  Keeper(store::Store& store, std::optional<store::Condition> fence, Post post);
  ~Keeper();                   // what was given is written first, for at most two seconds
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void commit(store::Transaction transaction, Done done = {});
  // The journal's last `count` events; at the start, before anything is committed.
  static Result<std::vector<Event>> history(store::Store& store, std::size_t count);

 private:
  struct Work { store::Transaction transaction; Done done; };
  void run();

  store::Store& store_;
  std::optional<store::Condition> fence_;
  Post post_;
  std::mutex mutex_;           // guards queue_ and ending_
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool ending_ = false;
  std::thread thread_;
};

inline constexpr std::size_t history_max = 10000;
inline constexpr std::size_t commits_waiting_max = 10000;

}  // namespace nlb::tool
