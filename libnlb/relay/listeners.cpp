#include "libnlb/relay/listeners.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "libnlb/daemon/log.hpp"
#include "libnlb/relay/plan_builder.hpp"
#include "libnlb/relay/socket.hpp"
#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

// The sockets that another process left on this address, if it did.
std::vector<int> inherit(Listening& listening, Endpoint& where, std::vector<ListeningSockets>& inherited) {
  std::vector<int> sockets;
  listening.inherited_from.clear();
  for (auto& one : inherited) {
    if (one.sockets.empty() || (one.address != listening.address && one.bound != where)) continue;
    listening.inherited_from = to_string(one.address);
    for (auto& socket : one.sockets) sockets.push_back(socket.release());
    where = one.bound;
    one.sockets.clear();
  }
  return sockets;
}

}  // namespace

// One of our own listeners has it, or had it before this change: an address of another form may overlap.
bool Listeners::is_ours(std::uint16_t port) const {
  const auto has = [&](const std::vector<Listening>& some) {
    return std::any_of(some.begin(), some.end(), [&](const Listening& l) { return !l.sockets.empty() && l.bound.port == port; });
  };
  return has(all_) || has(before_);
}

// One socket a worker, so that each has a queue of its own; a unix socket is one for all. Port 0 becomes the port that was given.
Result<std::vector<int>> Listeners::open_sockets(Endpoint& where, int backlog) const {
  std::vector<int> sockets;
  const bool is_unix = where.kind == Endpoint::Kind::unix_path;
  if (alone_ && !is_ours(where.port))
    if (auto unused = check_unused(where); !unused) return tl::unexpected(unused.error());
  while (sockets.size() < (is_unix ? 1 : workers_.size())) {
    auto socket = open_listener(where, backlog);
    if (!socket) {
      for (int one : sockets) close(one);
      return tl::unexpected(socket.error());
    }
    sockets.push_back(*socket);
    if (where.port == 0 && !is_unix)
      if (auto bound = local_endpoint(*socket)) where.port = bound->port;
  }
  return sockets;
}

Result<> Listeners::open(Listening& listening, std::vector<ListeningSockets>& inherited) const {
  auto where = resolve(listening.address);
  if (!where) return tl::unexpected(where.error());
  auto sockets = Result<std::vector<int>>(inherit(listening, *where, inherited));
  if (sockets->empty()) sockets = open_sockets(*where, static_cast<int>(listening.options.backlog));
  if (!sockets) return tl::unexpected(sockets.error());
  listening.sockets = std::move(*sockets);
  listening.bound = *where;
  return {};
}

Result<> Listeners::prepare(const std::vector<config::Listener>& wanted, std::vector<ListeningSockets> inherited) {
  before_ = all_;
  fresh_.clear();
  const auto undo = [this](Error error) {
    abandon();
    return tl::unexpected(std::move(error));
  };
  for (auto& listening : all_) listening.live = false;
  for (const auto& listener : wanted) {
    for (const auto& address : listener.addresses) {
      const auto known = std::find_if(all_.begin(), all_.end(), [&](const Listening& l) { return l.address == address; });
      const auto number = static_cast<std::size_t>(known - all_.begin());
      if (number == all_.size()) {
        if (all_.size() >= listeners_max)
          return undo({ErrorKind::config, "too many listen addresses over this process's life: " + std::to_string(listeners_max) + " at most: restart it"});
        all_.push_back({address, address, {}});
      }
      all_[number].options = listener;
      all_[number].live = true;
      if (number < before_.size() && before_[number].live) continue;   // it is open
      if (auto opened = open(all_[number], inherited); !opened) return undo(opened.error());
      fresh_.push_back(number);
    }
  }
  return {};
}

void Listeners::commit() {
  if (!holding_)
    for (const auto number : fresh_) deal(number);
  for (std::size_t i = 0; i < before_.size(); ++i) {
    if (!before_[i].live || all_[i].live) continue;
    all_[i].sockets.clear();   // the workers close them
    for (const auto& worker : workers_) worker->post([w = worker.get(), i] { w->retire_listener(static_cast<std::uint8_t>(i)); });
  }
}

void Listeners::abandon() {
  for (const auto number : fresh_)
    for (int descriptor : all_[number].sockets) close(descriptor);
  fresh_.clear();
  all_ = before_;
}

// To every worker the same number of sockets of its own; on what is left over all wait together.
void Listeners::deal(std::size_t number) {
  const auto& sockets = all_[number].sockets;
  const auto count = workers_.size();
  const auto own = sockets.size() / count * count;
  const auto give = [&](Worker& worker, int socket, bool shared) {
    worker.post([w = &worker, socket, n = static_cast<std::uint8_t>(number), shared] { w->add_listener(socket, n, shared); });
  };
  for (std::size_t i = 0; i < own; ++i) give(*workers_[i % count], sockets[i], false);
  for (std::size_t i = own; i < sockets.size(); ++i) {
    for (std::size_t w = 1; w < count; ++w)
      if (const int copy = fcntl(sockets[i], F_DUPFD_CLOEXEC, 0); copy >= 0) give(*workers_[w], copy, true);
    give(*workers_[0], sockets[i], count > 1);
  }
}

void Listeners::retire_all(const std::vector<std::string>& elsewhere) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!all_[i].live) continue;
    const bool lives_on = std::find(elsewhere.begin(), elsewhere.end(), to_string(all_[i].address)) != elsewhere.end();
    for (const auto& worker : workers_) worker->post([w = worker.get(), i, lives_on] { w->retire_listener(static_cast<std::uint8_t>(i), lives_on); });
  }
}

void Listeners::begin_accepting() {
  if (!std::exchange(holding_, false)) return;
  for (std::size_t number = 0; number < all_.size(); ++number) {
    if (!all_[number].live) continue;
    if (!all_[number].inherited_from.empty()) open_missing(all_[number]);
    deal(number);
  }
}

// Not sooner: a socket that nobody accepts from yet would already get its share of the connections.
void Listeners::open_missing(Listening& listening) {
  const auto backlog = static_cast<int>(listening.options.backlog);
  for (int socket : listening.sockets) listen(socket, backlog);   // this configuration's
  if (listening.bound.kind == Endpoint::Kind::unix_path) return;
  while (listening.sockets.size() < workers_.size()) {
    auto socket = open_listener(listening.bound, backlog);
    if (!socket) return daemon::log::warning("workers share the sockets that were taken over", {{"reason", socket.error().text}});
    listening.sockets.push_back(*socket);
  }
}

std::vector<ListeningSockets> Listeners::duplicate() const {
  std::vector<ListeningSockets> copies;
  for (const auto& listening : all_) {
    if (!listening.live) continue;
    ListeningSockets one{listening.address, listening.bound, {}};
    for (int socket : listening.sockets) one.sockets.emplace_back(fcntl(socket, F_DUPFD_CLOEXEC, 0));
    copies.push_back(std::move(one));
  }
  return copies;
}

std::vector<std::string> Listeners::inherited_addresses() const {
  std::vector<std::string> addresses;
  for (const auto& listening : all_)
    if (listening.live && !listening.inherited_from.empty()) addresses.push_back(listening.inherited_from);
  return addresses;
}

std::vector<ListenerStatus> Listeners::status() const {
  std::vector<ListenerStatus> list;
  for (const auto& l : all_) list.push_back({l.options.name, to_string(l.bound), l.live});
  return list;
}

}  // namespace nlb::relay
