#include "libnlb/daemon/channel.hpp"
#include "libnlb/daemon/reason.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>

namespace nlb::daemon {
namespace {

constexpr int backlog = 8;

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

tl::unexpected<Error> too_long(const std::string& path) {
  return fail(ErrorKind::unavailable, "socket " + path + ": the path is longer than " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                          " bytes: choose a shorter runtime directory (NLB_RUNTIME_DIR)");
}

bool wait_for(int descriptor, short what, Duration patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::max<Duration>(until - std::chrono::steady_clock::now(), Duration::zero());
    pollfd waiting{descriptor, what, 0};
    const int ready = poll(&waiting, 1, static_cast<int>((left + 999999ns) / 1ms));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

tl::unexpected<Error> peer_gone() { return fail(ErrorKind::unavailable, "the other process has ended the conversation"); }
tl::unexpected<Error> late() { return fail(ErrorKind::timeout, "the other process does not answer"); }

}  // namespace

Result<std::pair<Channel, Channel>> Channel::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(ErrorKind::unavailable, "can't make a socket pair: " + reason());
  return std::pair(Channel(Descriptor(ends[0])), Channel(Descriptor(ends[1])));
}

Result<Channel> Channel::connect(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return too_long(path);
  Descriptor descriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!descriptor || ::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return fail(ErrorKind::unavailable, "can't connect to " + path + ": " + reason());
  Channel channel(std::move(descriptor));
  if (!channel.peer_is_ours()) return fail(ErrorKind::refused, "socket " + path + " belongs to a process of another user: it is not trusted");
  return channel;
}

Result<> Channel::send(const std::string& text, const std::vector<int>& descriptors, Duration patience) {
  if (text.size() > text_bytes_max || descriptors.size() > descriptors_max)
    return fail(ErrorKind::internal, "a message of " + std::to_string(text.size()) + " bytes is too long");
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::vector<char> control(descriptors.empty() ? 0 : CMSG_SPACE(descriptors.size() * sizeof(int)));
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  }
  for (;;) {
    if (sendmsg(number(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return peer_gone();
    if (!wait_for(number(), POLLOUT, patience)) return late();
  }
}

Result<Channel::Message> Channel::receive(Duration patience) {
  Message got;
  got.text.resize(text_bytes_max);
  iovec part{got.text.data(), got.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_max * sizeof(int))];
  msghdr message{};
  ssize_t size = 0;
  for (;;) {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    size = recvmsg(number(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size >= 0) break;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return peer_gone();
    if (!wait_for(number(), POLLIN, patience)) return late();
  }
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; at + sizeof(int) <= header->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + at, sizeof descriptor);
      got.descriptors.emplace_back(descriptor);
    }
  }
  if (size == 0) return peer_gone();
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    return fail(ErrorKind::bad_input, "a message of the other process did not arrive whole: are there enough file descriptors?");
  got.text.resize(static_cast<std::size_t>(size));
  return got;
}

bool Channel::peer_is_ours() const {
  ucred peer{};
  socklen_t length = sizeof peer;
  return getsockopt(number(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

bool Channel::peer_has_gone() const {
  pollfd now{number(), POLLIN, 0};
  return poll(&now, 1, 0) == 1 && (now.revents & (POLLHUP | POLLERR)) != 0;
}

Result<Descriptor> listen_for_channels(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return too_long(path);
  const auto* name = reinterpret_cast<const sockaddr*>(&*address);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  struct stat found{};
  if (lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) {
    if (Channel::connect(path)) return fail(ErrorKind::conflict, "socket " + path + " is in use by another process");
    ::unlink(path.c_str());   // left by a process that died
  }
  Descriptor listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Nobody can connect before listen(), so the file's mode is in force in time.
  if (!listener || bind(listener.get(), name, sizeof *address) != 0 || chmod(path.c_str(), 0600) != 0 || listen(listener.get(), backlog) != 0)
    return fail(ErrorKind::unavailable, "can't listen on " + path + ": " + reason());
  return listener;
}

Result<Channel> accept_channel(int listener) {
  Descriptor descriptor(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!descriptor) return fail(ErrorKind::unavailable, "nobody has connected: " + reason());
  Channel channel(std::move(descriptor));
  if (!channel.peer_is_ours()) return fail(ErrorKind::unavailable, "a process of another user has connected: it is not trusted");
  return channel;
}

}  // namespace nlb::daemon
