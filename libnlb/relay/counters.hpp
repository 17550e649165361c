// What one worker counts. One writer, read relaxed by the control thread at each scrape (metrics/counter.hpp).
#pragma once

#include <array>
#include <memory>

#include "libnlb/core/protocol.hpp"
#include "libnlb/metrics/counter.hpp"
#include "libnlb/metrics/histogram.hpp"
#include "libnlb/relay/plan.hpp"
#include "libnlb/relay/session.hpp"

namespace nlb::relay {

template <class T>
using PerProtocol = std::array<T, protocol_count>;

struct ListenerCounters {
  metrics::Counter accepted, overloaded, timeouts, proxy_accepted, proxy_invalid;
  PerProtocol<metrics::Counter> detected;
  std::atomic<std::uint32_t> unfinished{0};      // connections whose protocol isn't known yet
};

struct alignas(64) Counters {
  metrics::Counter accept_errors, accept_pauses, handed_over;
  metrics::Counter descriptors_exhausted;        // a socket could not be opened for want of descriptors
  metrics::Counter connect_retries;
  metrics::Counter silent_routed;                // sessions routed by the client's silence
  metrics::Counter greeted_kept, greeted_reused; // server-first connections without a client that were kept, and that a client got
  metrics::Counter spliced_bytes, splice_switches;
  metrics::Counter batched_sends;                // sends that shared a system call
  metrics::Counter sessions_queued;
  PerProtocol<metrics::Recorder> detect_time;
  PerProtocol<std::array<metrics::Counter, end_names.size()>> ended;   // by End
  std::atomic<std::uint32_t> open{0}, waiting{0}, pipes_in_use{0};
  std::atomic<float> open_average{0};            // of `open`, over about a second
  std::atomic<std::uint64_t> session_bytes{0};   // memory of the session pool
  std::unique_ptr<ListenerCounters[]> listeners = std::make_unique<ListenerCounters[]>(listeners_max);   // by Session::listener
};

}  // namespace nlb::relay
