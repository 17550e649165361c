#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "libnlb/orchestrator/exec_driver.hpp"
#include "libnlb/orchestrator/spawn.hpp"

namespace nlb::orchestrator {
namespace {

constexpr std::size_t bytes_max = 1u << 20;

// Socket pairs, not pipes: MSG_NOSIGNAL spares us SIGPIPE when the command doesn't read its input.
struct Channel { Descriptor ours, theirs; };
Result<Channel> make_channel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(ErrorKind::unavailable, std::string("can't make a channel to the command: ") + std::strerror(errno) + ": raise the limit of open files");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Channel{Descriptor(ends[0]), Descriptor(ends[1])};
}

struct Talk {   // feeds stdin, collects stdout and stderr, until the command has ended
  std::string_view input;
  std::array<Channel, 3> channels;
  Descriptor process;
  Finished result;

  void feed() {
    const auto sent = send(channels[0].ours.get(), input.data(), input.size(), MSG_NOSIGNAL);
    if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
    if (input.empty() || (sent < 0 && errno != EAGAIN)) channels[0].ours.close();
  }
  bool collect(Descriptor& from, std::string& into) {   // false: too much
    char part[4096];
    for (;;) {
      const auto got = read(from.get(), part, sizeof part);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
      if (got <= 0) return from.close(), true;
      into.append(part, static_cast<std::size_t>(got));
      if (into.size() > bytes_max) return false;
    }
  }
  // What it wrote before it ended is there; a grandchild that keeps the channel open isn't waited for.
  Result<> step(MonoTime deadline) {
    const auto fd = [](const Descriptor& one) { return one ? one.get() : -1; };
    std::array<pollfd, 4> all = {{{fd(channels[0].ours), POLLOUT, 0}, {fd(channels[1].ours), POLLIN, 0}, {fd(channels[2].ours), POLLIN, 0}, {process.get(), POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return fail(ErrorKind::timeout, "it has not ended by its deadline and was killed: make it faster");
    if (poll(all.data(), all.size(), static_cast<int>(left)) < 0 && errno != EINTR) return fail(ErrorKind::internal, std::strerror(errno));
    if (all[0].revents) feed();
    if ((channels[1].ours && !collect(channels[1].ours, result.out)) || (channels[2].ours && !collect(channels[2].ours, result.err)))
      return fail(ErrorKind::bad_input, "it wrote more than " + format_size(bytes_max) + ": print only the answer");
    return {};
  }
};

}  // namespace

Result<Finished> run_to_end(std::vector<std::string> argv, std::map<std::string, std::string> environment, std::string_view input, MonoTime deadline) {
  Talk talk;
  talk.input = input;
  for (auto& channel : talk.channels) {
    auto made = make_channel();
    if (!made) return tl::unexpected(made.error());
    channel = std::move(*made);
  }
  auto held = Held::start({std::move(argv), std::move(environment), talk.channels[0].theirs.get(), talk.channels[1].theirs.get(), talk.channels[2].theirs.get()});
  if (!held) return tl::unexpected(held.error());
  const auto pid = held->pid();
  for (auto& channel : talk.channels) channel.theirs.close();
  auto process = held->release();
  if (!process) return tl::unexpected(process.error());
  talk.process = std::move(*process);
  Result<> going;
  bool over = false;
  while (going && !over) {   // one more step after its end: the rest of its words
    over = is_gone(talk.process);
    going = talk.step(deadline);
  }
  if (!going) kill(-pid, SIGKILL);
  talk.result.how = reap(talk.process, pid);
  if (!going) return tl::unexpected(going.error());
  return std::move(talk.result);
}

}  // namespace nlb::orchestrator
