// One TCP connection as a capture shows it: who talked to whom, how much, and what protocol its first bytes speak.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libnlb/capture/segment.hpp"
#include "libnlb/core/protocol.hpp"

namespace nlb::capture {

class Opening;

enum class Side : std::uint8_t { first = 0, second = 1, none = 2 };   // index into FlowKey, or nobody

// What only some flows have, and what is needed but once.
struct Story {
  std::vector<std::pair<std::string_view, std::string>> details;   // keys are string literals
  std::vector<std::uint8_t> evidence;                              // the bytes that were judged, when FlowOptions::evidence asks for them
  bool evidence_of_client = true;
};

// The first 128 bytes are what every packet touches.
struct alignas(64) Flow {
  FlowKey key{};
  std::uint8_t client = static_cast<std::uint8_t>(Side::none);   // who is the client; decided at the latest when the flow ends
  std::uint8_t spoke_first = static_cast<std::uint8_t>(Side::none);
  bool start_seen = false;       // SYN or SYN-ACK is in the capture
  bool decided = false;          // protocol and rule are final
  bool guessed = false;          // by port, because FlowOptions::ports asked for it
  std::uint8_t closing = 0;      // bit per side: FIN seen; 4: reset
  Protocol protocol = Protocol::unknown;
  std::uint8_t initial_known = 0;   // bit per side; contested (bit per side << 2): SYN-ACKs disagreed
  std::uint16_t rule = 0;
  std::uint32_t decided_at_byte = 0;
  std::int64_t last_ns = 0;
  std::uint64_t bytes[2]{};      // TCP payload, as on the wire
  std::uint64_t packets[2]{};
  std::unique_ptr<Opening> opening;   // while bytes are still wanted

  std::int64_t first_ns = 0;
  std::uint32_t initial[2]{};    // initial sequence numbers
  std::uint64_t number = 0;      // flows are counted from 1 in the order they appear
  std::unique_ptr<Story> story;
  std::uint32_t older = 0, newer = 0;   // FlowTable's lists
  std::int64_t looked_ns = 0;           // last_ns when it was last put into its list
  std::uint32_t slot_hash = 0;
  std::uint32_t tag = 0;         // for whoever drives the table

  unsigned client_side() const { return client == 1 ? 1 : 0; }
};

}  // namespace nlb::capture
