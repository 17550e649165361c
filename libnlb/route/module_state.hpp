// The live state of one module as all workers share it, and its statistics per worker.
//
// Thread rule: the first cache line is named atomics that every worker reads and writes, relaxed (each is a number
// that may be a moment old; only `active` must never pass its limit, and a compare-and-swap sees to that). Identity
// never changes: a module that comes back with another address or version is another ModuleState. Statistics are one
// cell per worker, written by that worker alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "libnlb/core/address.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/metrics/histogram.hpp"
#include "libnlb/registry/module.hpp"

namespace nlb::route {

struct alignas(64) Cell {   // one worker's counts of one module
  metrics::Counter routed;             // sessions given to the module
  metrics::Counter connect_failures;   // refused, unreachable or timed out, per attempt
  metrics::Counter early_resets;       // reset by the module before its first byte
  metrics::Counter empty_answers;      // end of file from the module without a byte, after the client had sent some
  metrics::Counter protocol_errors;    // an error in the first answer, as the protocol spells it
  metrics::Counter ended;              // sessions closed
  metrics::Counter bytes_up, bytes_down;   // client to module, module to client
  metrics::Recorder connect_time, first_byte_time, session_time;
  metrics::Recorder answer_bytes;          // bytes down per session that ended, a byte recorded as a microsecond
};

// The same once more of every second client (sticky.hpp's first half), for services that a split runs for: a judge's own test.
struct alignas(64) HalfCell {
  metrics::Counter routed, connect_failures;
  metrics::Recorder first_byte_time, session_time, answer_bytes;
};

struct Identity {
  std::string service, name, version, colour, zone;
  Protocol protocol = Protocol::unknown;
  Endpoint endpoint;
  registry::SendProxy send_proxy = registry::SendProxy::none;
  std::uint64_t incarnation = 0;
  bool operator==(const Identity&) const = default;
};

class alignas(64) ModuleState {
 public:
  ModuleState(Identity identity, std::uint32_t number, std::size_t workers);

  std::atomic<std::uint32_t> active{0};                // sessions, those still connecting included
  std::atomic<std::uint32_t> pending{0};               // of these: connecting
  std::atomic<std::uint32_t> max_connections{10000};
  std::atomic<std::uint32_t> failures{0};              // in a row
  std::atomic<std::int64_t> ejected_until{0};          // ns of the monotonic clock; 0: not ejected
  std::atomic<std::int64_t> failed_at{0};              // the last failure
  std::atomic<std::int64_t> latency_at{0};             // when latency_ns was last changed
  std::atomic<float> latency_ns{0};                    // peak EWMA of connect and first-byte time; 0: none measured
  std::atomic<std::uint32_t> ejections{0};             // recent ones: the next lasts period x (this + 1)
  std::atomic<std::uint8_t> health{0};                 // registry::Health
  std::atomic<bool> usable{true};                      // routable when the newest table was built
  std::atomic<bool> leaving{false};                    // draining, or gone from the newest table: end or move its sessions
  std::atomic<bool> trialled{false};                   // an ejection ended and the outcome of the next sessions is awaited

  const Identity identity;
  const std::uint32_t number;                          // small, unique while it lives; never reused by the same roster
  MonoTime since{};                                    // when it last became usable; by the control thread, while it builds tables
  bool seen_usable = false;                            // the same
  bool ramped = false;                                 // slow start applies (false for modules of the first table)
  std::atomic<std::uint64_t> ejected_total{0};
  std::weak_ptr<const ModuleState> self;               // the roster's, for who outlives a session's slot; behind the fields that picks read
  MonoTime health_since{};                             // when `health` last changed; like `since` the control thread's
  std::string reason;                                  // why it isn't up and healthy; the same

  Cell& cell(std::size_t worker) { return cells_[worker]; }
  const Cell& cell(std::size_t worker) const { return cells_[worker]; }
  std::size_t workers() const { return workers_; }

  // Halves are counted from the first call on; by the control thread.
  void watch_halves();
  HalfCell* half_cell(std::size_t worker) const {   // nullptr while they aren't
    auto* const cells = halves_.load(std::memory_order_acquire);
    return cells == nullptr ? nullptr : cells + worker;
  }

  // Counts one more session unless `most` are open already. One compare-and-swap.
  bool reserve(std::uint32_t most) {
    auto seen = active.load(std::memory_order_relaxed);
    while (seen < most)
      if (active.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) return true;
    return false;
  }
  bool ejected(MonoTime now) const {
    const auto until = ejected_until.load(std::memory_order_relaxed);
    return until != 0 && until > now.time_since_epoch().count();
  }

 private:
  std::size_t workers_;
  std::unique_ptr<Cell[]> cells_;
  std::unique_ptr<HalfCell[]> owned_halves_;
  std::atomic<HalfCell*> halves_{nullptr};
};

}  // namespace nlb::route
