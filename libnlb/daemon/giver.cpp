#include "libnlb/daemon/giver.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <utility>

#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/readable.hpp"

namespace nlb::daemon {
namespace {

using namespace handover;

constexpr std::size_t talks_max = 8;           // heirs at the same time, of which one is served
constexpr Duration hello_timeout = 30s;        // a successor reads its configuration first
constexpr Duration sessions_period = 1s;

enum class Phase : std::uint8_t { idle, offered, released, given };

Descriptor duplicate(int number) { return Descriptor(fcntl(number, F_DUPFD_CLOEXEC, 0)); }

Word word_of(std::string name) {
  Word word;
  word.word = std::move(name);
  return word;
}

}  // namespace

struct Giver::Impl : std::enable_shared_from_this<Giver::Impl> {
  struct Talk {
    Channel channel;
    bool stays = false;              // our parent: it may be silent, and ask again after a takeover that failed
    Phase phase = Phase::idle;
    pid_t peer = 0;
    std::unique_ptr<Readable> readable;
    std::unique_ptr<Timer> timer;
    bool successor = false;          // we started it, and say so when it fails
  };
  struct Elder {
    pid_t pid;
    Channel channel;
    std::uint64_t sessions = 0;
    std::unique_ptr<Readable> readable;
  };

  Impl(ControlLoop& l, std::size_t most, GiverHooks h) : loop(l), elders_max(most), hooks(std::move(h)) {}

  void watch_endpoint() {
    readable = std::make_unique<Readable>(loop, endpoint.get(), [this] {
      if (auto channel = accept_channel(endpoint.get())) begin(std::move(*channel), false, false);
    });
  }

  void begin(Channel channel, bool stays, bool successor) {
    if (talks.size() >= talks_max) return;   // closed: the heir sees the end
    auto& talk = *talks.emplace_back(std::make_unique<Talk>(Talk{std::move(channel), stays, Phase::idle, 0, {}, {}, successor}));
    talk.readable = std::make_unique<Readable>(loop, talk.channel.number(), [this, &talk] { hear(talk); });
    if (!stays) expect_within(talk, hello_timeout);
  }

  void expect_within(Talk& talk, Duration patience) {
    talk.timer = loop.after(patience, [this, &talk] { fail_talk(talk, "it took too long", !talk.stays); });
  }

  void hear(Talk& talk) {
    auto message = talk.channel.receive(Duration::zero());
    if (!message) return message.error().kind == ErrorKind::timeout ? void() : end(talk, "it has ended");
    const auto word = read_word(std::move(*message));
    talk.peer = word.pid;
    if (word.word == "hello" && talk.phase == Phase::idle) return offer(talk, word);
    if (word.word == "release" && talk.phase == Phase::offered) return release(talk);
    if (word.word == "serving" && talk.phase == Phase::released) return give(talk, word);
    if (word.word == "reclaim" && (talk.phase == Phase::offered || talk.phase == Phase::released)) return take_back(talk);
    if (word.word == "reopen" && talk.phase == Phase::given && hooks.reopen_logs) hooks.reopen_logs();
  }

  void refuse(Talk& talk, std::string why) {
    ++counters.refused;
    log::warning("a takeover is refused", {{"reason", why}, {"by", talk.peer}});
    auto word = word_of("refused");
    word.reason = std::move(why);
    (void)say(talk.channel, word, Duration::zero());
    if (talk.stays) return;
    if (talk.successor && !handing_over()) hooks.reclaim();
    drop(talk);
  }

  void offer(Talk& talk, const Word& hello) {
    if (given) return refuse(talk, "process " + std::to_string(getpid()) + " has handed over already and drains: ask the newest one");
    if (handing_over())
      return refuse(talk, "another takeover is under way: try again when it is over");
    if (elders.size() >= elders_max)
      return refuse(talk, std::to_string(elders.size()) + " old generations still drain, and " + std::to_string(elders_max) +
                              " may: wait until one has ended, end one (kill -TERM, see nlb-forward status), or raise --old-generations");
    auto sockets = hooks.offer();
    if (!sockets) return refuse(talk, sockets.error().text);
    if (endpoint) sockets->push_back({Use::endpoint, path, path, duplicate(endpoint.get())});
    for (auto& elder : elders) {
      const auto pid = std::to_string(elder->pid);
      sockets->push_back({Use::elder, pid, pid, duplicate(elder->channel.number())});
    }
    log::info("a new process asks for the listening sockets", {{"process", hello.pid}, {"version", hello.version}, {"sockets", sockets->size()}});
    talk.phase = Phase::offered;
    if (auto sent = send_offer(talk.channel, *sockets); !sent) return end(talk, sent.error().text);
    expect_within(talk, prepare_timeout);
  }

  void release(Talk& talk) {
    hooks.release();
    talk.phase = Phase::released;
    if (auto said = say(talk.channel, word_of("released")); !said) return end(talk, said.error().text);
    expect_within(talk, serve_timeout);
  }

  void give(Talk& talk, const Word& serving) {
    talk.phase = Phase::given;
    talk.timer.reset();
    given = true;
    readable.reset();
    if (endpoint && !serving.taken.endpoint) ::unlink(path.c_str());
    endpoint.close();
    elders.clear();   // the heir has them
    log::info("a new process serves: this one accepts no more and drains", {{"process", serving.pid}});
    hooks.hand_over(serving.taken, serving.pid);
    auto draining = word_of("draining");
    if (hooks.notes) draining.sockets = hooks.notes();
    (void)say(talk.channel, draining);
    if (hooks.sessions) report_timer = loop.every(sessions_period, [this, &talk] {
      auto word = word_of("sessions");
      word.sessions = hooks.sessions();
      (void)say(talk.channel, word, Duration::zero());   // an heir that doesn't read, or has gone: nothing to do
    });
  }

  bool handing_over() const {
    return std::any_of(talks.begin(), talks.end(), [](const auto& t) { return t->phase != Phase::idle; });
  }

  void take_back(Talk& talk) {
    talk.phase = Phase::idle;
    talk.timer.reset();
    hooks.reclaim();
  }

  void end(Talk& talk, const std::string& why) { fail_talk(talk, why, true); }

  void fail_talk(Talk& talk, const std::string& why, bool over) {
    const bool in_it = talk.phase == Phase::offered || talk.phase == Phase::released || (talk.phase == Phase::idle && talk.successor && !handing_over());
    if (in_it) {
      ++counters.failed;
      log::error("the new process did not take over: this one goes on as before", {{"process", talk.peer}, {"reason", why}});
      take_back(talk);
    }
    if (!over) return;
    if (talk.phase == Phase::given) report_timer.reset();
    drop(talk);
  }

  void drop(Talk& talk) {
    const auto at = std::find_if(talks.begin(), talks.end(), [&](const auto& t) { return t.get() == &talk; });
    talks.erase(at);   // perhaps in its own callback: Readable and Timer allow that
  }

  void hear_elder(Elder& elder) {
    auto message = elder.channel.receive(Duration::zero());
    if (message) {
      if (const auto word = read_word(std::move(*message)); word.word == "sessions") elder.sessions = word.sessions;
      return;
    }
    if (message.error().kind == ErrorKind::timeout) return;
    log::info("an old generation has ended", {{"process", elder.pid}});
    const auto at = std::find_if(elders.begin(), elders.end(), [&](const auto& e) { return e.get() == &elder; });
    elders.erase(at);
    if (elders.empty() && hooks.elders_ended) hooks.elders_ended();
  }

  ControlLoop& loop;
  std::size_t elders_max;
  GiverHooks hooks;
  Counters counters;
  Descriptor endpoint;
  std::string path;
  std::unique_ptr<Readable> readable;
  std::list<std::unique_ptr<Talk>> talks;
  std::list<std::unique_ptr<Elder>> elders;
  std::unique_ptr<Timer> report_timer;
  bool given = false;
};

Giver::Giver(ControlLoop& loop, std::size_t old_generations_max, GiverHooks hooks)
    : impl_(std::make_shared<Impl>(loop, old_generations_max, std::move(hooks))) {}

Giver::~Giver() { close(); }

void Giver::close() {
  impl_->readable.reset();
  if (impl_->endpoint) ::unlink(impl_->path.c_str());
  impl_->endpoint.close();
  std::erase_if(impl_->talks, [](const auto& talk) { return talk->phase != Phase::given; });
}

Result<> Giver::listen(const std::string& path) {
  auto listener = listen_for_channels(path);
  if (!listener) return tl::unexpected(listener.error());
  adopt(std::move(*listener), path);
  return {};
}

void Giver::adopt(Descriptor listener, std::string path) {
  impl_->endpoint = std::move(listener);
  impl_->path = std::move(path);
  impl_->watch_endpoint();
}

void Giver::serve(Channel channel, bool stays) { impl_->begin(std::move(channel), stays, !stays); }

void Giver::add_elder(pid_t pid, Channel channel) {
  auto& elder = *impl_->elders.emplace_back(std::make_unique<Impl::Elder>(Impl::Elder{pid, std::move(channel), 0, {}}));
  elder.readable = std::make_unique<Readable>(impl_->loop, elder.channel.number(), [impl = impl_.get(), &elder] { impl->hear_elder(elder); });
}

std::vector<OldGeneration> Giver::old_generations() const {
  std::vector<OldGeneration> all;
  for (const auto& elder : impl_->elders) all.push_back({elder->pid, elder->sessions});
  return all;
}

void Giver::tell_elders_to_reopen_logs() {
  for (auto& elder : impl_->elders) (void)say(elder->channel, word_of("reopen"), Duration::zero());
}

bool Giver::handing_over() const { return impl_->handing_over(); }

Giver::Counters Giver::counters() const { return impl_->counters; }

}  // namespace nlb::daemon
