// A Unix socket between two of our own processes that carries messages with file descriptors (unix(7), SCM_RIGHTS). Messages keep their
// bounds (SOCK_SEQPACKET); who may speak is told by the kernel, not by the message (SO_PEERCRED). One thread at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/daemon/descriptor.hpp"

namespace nlb::daemon {

class Channel {
 public:
  static constexpr std::size_t text_bytes_max = 60 << 10;
  static constexpr std::size_t descriptors_max = 100;    // in one message; the kernel allows 253

  struct Message {
    std::string text;
    std::vector<Descriptor> descriptors;
  };

  explicit Channel(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  static Result<std::pair<Channel, Channel>> pair();
  // unavailable: nobody listens there; refused: another user does.
  static Result<Channel> connect(const std::string& path);

  // Waits up to `patience` for room. unavailable: the peer has gone; timeout; internal: too much for one message.
  Result<> send(const std::string& text, const std::vector<int>& descriptors = {}, Duration patience = std::chrono::seconds(5));
  // Waits up to `patience` for a message. unavailable: the peer has gone; timeout; bad_input: longer than a message may be.
  Result<Message> receive(Duration patience);

  bool peer_is_ours() const;   // the same user, or root
  bool peer_has_gone() const;
  int number() const { return descriptor_.get(); }
  Descriptor take() { return std::move(descriptor_); }

 private:
  Descriptor descriptor_;
};

// A listening socket for channels that only this user may use (0600). A file that nobody listens on is replaced; missing folders are made.
// conflict: another process listens there; unavailable: the folder can't be written.
Result<Descriptor> listen_for_channels(const std::string& path);
Result<Channel> accept_channel(int listener);   // does not wait; unavailable: nobody is there, or not one of ours

}  // namespace nlb::daemon
