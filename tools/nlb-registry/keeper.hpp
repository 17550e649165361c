// Writes what the engine decides to the store, on a thread of its own, in the order it was decided and as few transactions as possible:
// while one commit waits for the disk, the next ones gather. A change that the store doesn't take (disk full, etcd away) is owed: newer
// values of its key replace it, and it is tried again every second; nobody waits for it, since a module that a crash forgets registers
// itself again at its next heartbeat. A fenced write that another leader's election refuses is told as conflict.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "libnlb/registry/membership.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::registrar {

inline constexpr Duration retry_after = std::chrono::seconds(1);

class Keeper {
 public:
  using Done = std::function<void(Result<>)>;                 // on the keeper's thread: post it onward
  using Loaded = std::function<void(Result<std::vector<registry::Stored>>)>;
  struct Status { std::uint64_t commits = 0, failed = 0, owed = 0, waiting = 0; std::string last_error; };

  explicit Keeper(std::unique_ptr<store::Store> store);
  ~Keeper();
  void finish();                                              // writes what waits, tries what is owed once more, ends the thread

  store::Store& store() { return *store_; }
  // Everything that was kept; later writes carry the fence. What was owed under an earlier fence is dropped.
  void load(std::optional<store::Condition> fence, Loaded loaded);
  void put(const registry::Stored& stored, Done done);
  void remove(const registry::ModuleKey& key, Done done);
  void look(std::string key, std::function<void(std::string value)> seen);   // empty: it isn't there, or the store is away
  Status status() const;

 private:
  struct Item { store::Operation operation; Done done; std::function<void()> reads; };
  void submit(Item item);
  void run();
  std::deque<Item> wait_for_work();
  void read(const std::optional<store::Condition>& fence, const Loaded& loaded);
  void write(std::deque<Item>& items);
  void settle(const Result<store::Committed>& result, const std::map<std::string, store::Operation>& batch);

  std::unique_ptr<store::Store> store_;
  std::map<std::string, store::Operation> owed_;              // of the thread
  std::optional<store::Condition> fence_;
  mutable std::mutex mutex_;                                  // guards what follows
  std::condition_variable woken_;
  std::deque<Item> queue_;
  Status status_;
  bool stop_ = false;
  std::thread thread_;
};

std::string encode(const registry::Stored& stored);
Result<registry::Stored> decode(std::string_view bytes);

}  // namespace nlb::registrar
