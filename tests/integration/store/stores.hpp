// What the store tests share: the three stores behind one face, temporary folders, and waiting with a bound.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "libnlb/store/memory.hpp"
#include "libnlb/store/sqlite.hpp"

namespace nlb::store::test {

using namespace std::chrono_literals;

struct TempFolder {               // in memory where there is such a place: thousands of stores are opened and synced
  std::filesystem::path path;
  TempFolder() {
    std::error_code absent;
    const auto base = std::filesystem::is_directory("/dev/shm", absent) ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string pattern = (base / "nlb-store-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

// The store's own clock moves: by itself, or by hand.
struct Bench {
  virtual ~Bench() = default;
  virtual Store& store() = 0;
  virtual Store& other() { return store(); }            // of another process, where the store is shared
  virtual void restart() = 0;                           // of the store's process; precondition: survives()
  virtual bool survives() const { return true; }
  virtual void pass(Duration time) { std::this_thread::sleep_for(time); }
  virtual Clock clock() const { return steady_now; }
  virtual Duration ttl() const { return 2s; }           // the shortest lease
};

struct MemoryBench final : Bench {
  MonoTime now{1h};
  std::unique_ptr<Store> made = make_memory_store([this] { return now; });
  Store& store() override { return *made; }
  void restart() override {}
  bool survives() const override { return false; }
  void pass(Duration time) override { now += time; }
  Clock clock() const override {
    return [this] { return now; };
  }
};

struct SqliteBench final : Bench {
  TempFolder folder;
  MonoTime now{1h};
  std::unique_ptr<Store> made = open();
  std::unique_ptr<Store> open() { return open_sqlite_store(folder / "state/x.db", [this] { return now; }).value(); }
  Store& store() override { return *made; }
  void restart() override {
    made.reset();
    made = open();
  }
  void pass(Duration time) override { now += time; }
  Clock clock() const override {
    return [this] { return now; };
  }
};

// Polls, passing the store's time in small steps, until `condition` holds or `bound` has passed.
inline bool within(Bench& bench, Duration bound, const std::function<bool()>& condition) {
  constexpr Duration step = 50ms;
  for (Duration passed{}; passed < bound; passed += step) {
    if (condition()) return true;
    bench.pass(step);
  }
  return condition();
}

// All events of a watch until `count` came, at most 10 s.
inline std::vector<Event> collect(Watch& watch, std::size_t count) {
  std::vector<Event> events;
  for (const auto until = steady_now() + 10s; events.size() < count && steady_now() < until;) {
    auto batch = watch.next(100ms);
    if (!batch) continue;
    REQUIRE_FALSE(batch->compacted);
    events.insert(events.end(), batch->events.begin(), batch->events.end());
  }
  return events;
}

inline std::string text_of(const std::vector<Event>& events) {   // "+a=1 -b"
  std::string text;
  for (const auto& event : events)
    text += (text.empty() ? "" : " ") + (event.removed ? "-" + event.entry.key : "+" + event.entry.key + "=" + event.entry.value);
  return text;
}

}  // namespace nlb::store::test
