// One client's session: 128 bytes while it is idle, and nothing else in user space. Owner: one worker thread, from accept to close.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/limit/limits.hpp"
#include "libnlb/relay/held.hpp"
#include "libnlb/relay/timer_wheel.hpp"
#include "libnlb/route/slot.hpp"

namespace nlb::relay {

// The two directions of a session.
enum class Flow : std::uint8_t { up, down };   // up: client to module; down: module to client
constexpr std::size_t index(Flow flow) { return static_cast<std::size_t>(flow); }
constexpr std::uint8_t bit(Flow flow) { return static_cast<std::uint8_t>(1u << index(flow)); }
constexpr Flow opposite(Flow flow) { return flow == Flow::up ? Flow::down : Flow::up; }

enum class Phase : std::uint8_t {
  detecting,    // the first bytes aren't enough yet
  waiting,      // denied by a limit that queues or delays
  queued,       // admitted, but every module is full
  connecting,   // the module's socket isn't connected yet
  greeting,     // a silent client's module is to speak first
  relaying,
  closed,
};

// How a session ended; the names stand in the access log and in nlb_sessions_ended_total.
enum class End : std::uint8_t {
  none, client_closed, module_closed, client_reset, module_reset, idle_timeout, drained, shut_down,
  detect_timeout, silent, unknown_protocol, bad_proxy_header, bad_greeting, no_route, no_module, connect_failed, limited, queue_timeout,
  overloaded, version_ended,
};
inline constexpr std::array<std::string_view, 20> end_names = {
    "none", "client_closed", "module_closed", "client_reset", "module_reset", "idle_timeout", "drained", "shut_down",
    "detect_timeout", "silent", "unknown_protocol", "bad_proxy_header", "bad_greeting", "no_route", "no_module", "connect_failed",
    "limited", "queue_timeout", "overloaded", "version_ended"};
constexpr std::string_view to_string(End end) { return end_names[static_cast<std::size_t>(end)]; }

// Flags come in pairs by Flow where they speak of a direction.
namespace flag {
inline constexpr std::uint16_t ended_up = 1 << 0;         // the sender of this direction has sent its FIN, and we have read it
inline constexpr std::uint16_t ended_down = 1 << 1;
inline constexpr std::uint16_t fin_seen_up = 1 << 2;      // epoll said RDHUP: what recv still returns is all there will be
inline constexpr std::uint16_t fin_seen_down = 1 << 3;
inline constexpr std::uint16_t stalled_up = 1 << 4;       // the receiver's buffer is full: a remainder is held, nothing is read
inline constexpr std::uint16_t stalled_down = 1 << 5;
inline constexpr std::uint16_t paused_up = 1 << 6;        // a byte rate limit holds the reading back
inline constexpr std::uint16_t paused_down = 1 << 7;
inline constexpr std::uint16_t client_registered = 1 << 8;
inline constexpr std::uint16_t client_writable_wanted = 1 << 9;   // EPOLLOUT is part of the registration
inline constexpr std::uint16_t module_writable_wanted = 1 << 10;
inline constexpr std::uint16_t deadline_fixed = 1 << 11;  // draining: activity doesn't move the deadline any more
inline constexpr std::uint16_t expects_proxy = 1 << 12;
inline constexpr std::uint16_t silent_client = 1 << 13;   // routed by its silence; bytes before the greeting are detected again
inline constexpr std::uint16_t ready_again = 1 << 14;     // stands in the worker's list of unfinished pumps
inline constexpr std::uint16_t nodelay_set = 1 << 15;
constexpr std::uint16_t of(std::uint16_t up_flag, Flow flow) { return static_cast<std::uint16_t>(up_flag << index(flow)); }
}  // namespace flag

inline constexpr std::uint8_t learned_key = 0x80;   // in Session::tries

struct Session : TimerLink {
  int client = -1, module = -1;            // descriptors
  route::Slot slot;                        // the module's reserved place; freed when the session ends
  Held* held = nullptr;                    // owned; only while bytes are in flight
  limit::Ticket ticket;
  std::uint8_t queued = 0;                 // directions with a chunk in the worker's batch of sends: by bit(Flow)
  std::uint8_t doubted = 0;                // directions in which a short read is not the end of what there is to read, as an event has said
  std::uint64_t bytes[2] = {0, 0};         // by Flow
  std::uint64_t accepted_ns = 0;           // worker's monotonic clock
  std::uint32_t detect_us = 0, connect_us = 0, first_byte_us = 0;   // since accept, since the dial, since the dial
  std::uint16_t flags = 0;
  std::uint16_t service = 0;               // index in the plan's services
  Phase phase = Phase::closed;
  Protocol protocol = Protocol::unknown;
  std::uint8_t listener = 0;
  std::uint8_t tries = 0;                  // dials so far; the highest bit: its PostgreSQL key is known (learned_key)
  std::uint8_t full_reads[2] = {0, 0};     // reads in a row that filled the buffer: a long stream
  std::uint16_t client_port = 0;
  IpAddress client_ip;

  bool has(std::uint16_t f) const { return (flags & f) != 0; }
  void set(std::uint16_t f) { flags = static_cast<std::uint16_t>(flags | f); }
  void unset(std::uint16_t f) { flags = static_cast<std::uint16_t>(flags & ~f); }
  int sender(Flow flow) const { return flow == Flow::up ? client : module; }
  int receiver(Flow flow) const { return flow == Flow::up ? module : client; }
};
static_assert(sizeof(Session) <= 128);

}  // namespace nlb::relay
