// How a process takes over from a running one of the same kind without a lost connection: the conversation, and the new process's side.
// The running side is giver.hpp.
//
//   new: hello                                  who asks
//   old: offer + descriptors  | refused         every listening socket, the very same ones: their accept queues stay
//   new: release                                it has built all it needs; it may still fail
//   old: released                               what only one process may hold is free: pid file, bus, its directory
//   new: serving {pid, taken}                   it accepts now, beside the old one
//   old: draining + descriptors                 it accepts no more, and ends with its last session; what the new one should know of those
//   old: sessions (now and then) · new: reopen  for as long as the old one lives; its end is the end of the conversation
//
// Up to `serving` the new process may end or hang: the old one takes back what it let go and goes on. Both accept for a moment, never
// nobody. Messages are JSON objects {"word": ..., ...}; keys that are not known are passed over; `protocol` counts incompatible changes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/daemon/channel.hpp"

namespace nlb::daemon::handover {

inline constexpr int protocol = 1;
inline constexpr std::size_t sockets_max = 16384;                    // in one offer
inline constexpr Duration answer_timeout = std::chrono::seconds(10); // of a process that has nothing to wait for
inline constexpr Duration prepare_timeout = std::chrono::seconds(60);   // from the offer to `release`
inline constexpr Duration serve_timeout = std::chrono::seconds(30);     // from `released` to `serving`; the new one allows itself less

enum class Use : std::uint8_t { traffic, admin, endpoint, elder, notes };
constexpr std::string_view use_names[] = {"traffic", "admin", "endpoint", "elder", "notes"};

struct Socket {
  Use use = Use::traffic;
  std::string address, bound;    // as configured, and with the real port; of an elder: its process id; of notes: their name
  Descriptor descriptor;
};

// What the new process took of the addresses that were offered; the old one closes the others in its own time.
struct Taken {
  std::vector<std::string> traffic;
  bool admin = false, endpoint = false;
};

struct Word {                    // one message, whatever it says
  std::string word;              // empty: not one of ours
  pid_t pid = 0;
  int protocol = 0;
  std::string version, reason;
  std::uint64_t sessions = 0;
  Taken taken;
  std::vector<Socket> sockets;
  bool more = false;             // of an offer: another part follows
};
std::string text_of(const Word& word);
Word read_word(Channel::Message message);   // total over any text

Result<> say(Channel& channel, const Word& word, Duration patience = answer_timeout);
// Passes over other words, but for `refused`, which becomes an error of kind refused with its reason.
Result<Word> await(Channel& channel, std::string_view word, Duration patience);
Result<> send_offer(Channel& channel, const std::vector<Socket>& sockets);   // in as many messages as it takes
Result<std::vector<Socket>> await_offer(Channel& channel, Duration patience);

// Notes travel as a file in memory. Errors: unavailable.
Result<Socket> write_notes(std::string name, std::string_view bytes);
Result<std::string> read_notes(const Socket& notes);
inline constexpr std::size_t notes_bytes_max = 128u << 20;

// The new process's side: blocking, before its loop runs.
class Heir {
 public:
  static Result<Heir> begin(Channel channel);        // hello, and the offer
  std::vector<Socket> take_sockets() { return std::move(sockets_); }
  Result<> release(Duration patience = serve_timeout);   // asks for it and waits
  Result<std::vector<Socket>> serve(const Taken& taken);   // says that it accepts now, and waits until the old one drains: its notes
  bool is_awaited() const { return !channel_.peer_has_gone(); }   // ask before accepting: the old one may have given us up
  pid_t predecessor() const { return predecessor_; }
  Channel take_channel() { return std::move(channel_); }

 private:
  explicit Heir(Channel channel) : channel_(std::move(channel)) {}
  Channel channel_;
  std::vector<Socket> sockets_;
  pid_t predecessor_ = 0;
};

}  // namespace nlb::daemon::handover
