// Lanes are queues with a limit on threads: a thread is started when work comes and ends when its lane is empty. The watch answers
// actions whose deadline has passed; a driver that comes back later finds its action answered and only its lateness is counted.
#include "libnlb/orchestrator/target.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/orchestrator/health.hpp"

namespace nlb::orchestrator {

using daemon::mono_now;
namespace {

constexpr Duration watch_slack = std::chrono::milliseconds(250);   // drivers know better why it was late: they go first
constexpr Duration end_wait = std::chrono::seconds(2);

struct Action {
  Verb verb{};
  MonoTime deadline;
  bool answered = false;                                // under the lock
  std::function<std::optional<Error>(Action&)> run;     // asks the driver; keeps the value; on a lane's thread
  std::function<void(std::optional<Error>)> answer;     // once
  std::optional<Error> refusal;                         // not worth trying: only to be told
  std::uint32_t count = 0;                              // of set
};
using ActionPtr = std::shared_ptr<Action>;

struct Lane {
  unsigned threads_max = 1, threads = 0;
  std::deque<ActionPtr> waiting;
};

}  // namespace

std::string_view to_string(Verb verb) {
  switch (verb) {
    case Verb::observe: return "observe";
    case Verb::set: return "set";
    case Verb::remove: return "remove";
  }
  return "observe";
}

struct Target::Impl : std::enable_shared_from_this<Impl> {
  Impl(std::unique_ptr<Driver> d, TargetOptions o, Post p)
      : driver(std::move(d)), options(o), post(std::move(p)), health(driver->kind(), options) {
    lanes[1].threads_max = std::max(1u, options.removes_max);
  }

  void submit(ActionPtr action) {
    const std::lock_guard lock(mutex);
    if (ended) return;
    auto refusal = health.admit(action->verb, mono_now());
    if (!refusal && open.size() >= options.waiting_max)
      refusal = Error{ErrorKind::unavailable, std::string(driver->kind()) + " has " + std::to_string(open.size()) +
                                                  " actions waiting, the most allowed: is it stuck? See status"};
    if (refusal) return give_up_soon(action, std::move(*refusal));
    open.push_back(action);
    changed.notify_all();   // the watch
    auto& lane = lanes[action->verb == Verb::remove ? 1 : 0];
    enter(lane, std::move(action));
  }

  void enter(Lane& lane, ActionPtr action) {   // locked
    lane.waiting.push_back(std::move(action));
    if (lane.threads >= lane.threads_max) return;
    try {
      std::thread([self = shared_from_this(), &lane] { self->work(lane); }).detach();
      ++lane.threads;
    } catch (const std::system_error&) {   // no thread to be had: the next action tries again, the watch answers this one
    }
  }

  // Never on the caller's stack: an answer that arrives before the call returned surprises.
  void give_up_soon(const ActionPtr& action, Error error) {   // locked
    if (post) return post([action, error = std::move(error)] { action->answer(error); });
    action->refusal = std::move(error);
    enter(lanes[1], action);
  }

  void work(Lane& lane) {
    std::unique_lock lock(mutex);
    while (!ended && !lane.waiting.empty()) {
      const auto action = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      if (action->answered) continue;   // its deadline passed while it waited
      lock.unlock();
      const auto error = action->refusal ? action->refusal : action->run(*action);
      if (action->refusal) action->answer(error);
      lock.lock();
      if (!action->refusal) finish(lock, action, error);
    }
    --lane.threads;
    changed.notify_all();
  }

  void finish(std::unique_lock<std::mutex>& lock, const ActionPtr& action, const std::optional<Error>& error) {
    if (action->answered) return health.late(action->verb);
    note(*action, error);
    hand_over(lock, action, error);
  }

  void note(const Action& action, const std::optional<Error>& error) {   // locked
    if (error) health.failed(action.verb, *error, mono_now(), std::chrono::system_clock::now(), driver->retry_after());
    else health.done(action.verb);
    if (action.verb == Verb::remove || (action.verb == Verb::set && error)) health.unsure();
    if (action.verb == Verb::set && !error) health.accepted(action.count);
  }

  void hand_over(std::unique_lock<std::mutex>& lock, const ActionPtr& action, std::optional<Error> error) {
    action->answered = true;
    open.remove(action);
    if (ended) return;
    lock.unlock();
    if (post) post([action, error = std::move(error)] { action->answer(error); });
    else action->answer(std::move(error));
    lock.lock();
  }

  void watch() {
    std::unique_lock lock(mutex);
    while (!ended) {
      const auto next = std::min_element(open.begin(), open.end(), [](auto& a, auto& b) { return a->deadline < b->deadline; });
      if (next == open.end()) {
        changed.wait(lock);
        continue;
      }
      const auto action = *next;
      if (changed.wait_until(lock, action->deadline + watch_slack) == std::cv_status::no_timeout || action->answered) continue;
      const Error error{ErrorKind::timeout, std::string(to_string(action->verb)) + " on " + std::string(driver->kind()) +
                                                " has not ended by its deadline: the target hangs: look at it"};
      note(*action, error);
      hand_over(lock, action, error);
    }
  }

  void end() {
    std::unique_lock lock(mutex);
    ended = true;
    changed.notify_all();
    const bool idle = changed.wait_for(lock, end_wait, [this] { return lanes[0].threads + lanes[1].threads == 0; });
    if (idle) driver.reset();   // here and now, not when the last thread lets go of us
  }

  std::unique_ptr<Driver> driver;
  const TargetOptions options;
  const Post post;
  mutable std::mutex mutex;   // guards all below; never held while a driver works or an answer runs
  std::condition_variable changed;
  Health health;
  std::array<Lane, 2> lanes;  // observe and set; remove
  std::list<ActionPtr> open;  // waiting or running, not answered
  bool ended = false;
  std::thread watcher;
};

Target::Target(std::unique_ptr<Driver> driver, TargetOptions options, Post post)
    : impl_(std::make_shared<Impl>(std::move(driver), options, std::move(post))) {
  impl_->watcher = std::thread([impl = impl_.get()] { impl->watch(); });
}

Target::~Target() {
  impl_->end();
  impl_->watcher.join();
}

void Target::observe(Answer<Observation> answer) {
  auto action = std::make_shared<Action>();
  auto seen = std::make_shared<Observation>();
  action->verb = Verb::observe;
  action->deadline = mono_now() + impl_->options.observe_deadline;
  action->run = [impl = impl_.get(), seen](Action& self) -> std::optional<Error> {
    auto result = impl->driver->observe(self.deadline);
    if (!result) return result.error();
    const std::lock_guard lock(impl->mutex);
    if (!self.answered) impl->health.seen(*result, mono_now());
    *seen = std::move(*result);
    return std::nullopt;
  };
  action->answer = [seen, answer = std::move(answer)](std::optional<Error> error) {
    error ? answer(tl::unexpected(std::move(*error))) : answer(std::move(*seen));
  };
  impl_->submit(std::move(action));
}

namespace {

template <class Call>
ActionPtr plain_action(Verb verb, MonoTime deadline, Call call, Target::Answer<void> answer) {
  auto action = std::make_shared<Action>();
  action->verb = verb;
  action->deadline = deadline;
  action->run = [call = std::move(call)](Action& self) -> std::optional<Error> {
    auto result = call(self.deadline);
    return result ? std::nullopt : std::optional(std::move(result.error()));
  };
  action->answer = [answer = std::move(answer)](std::optional<Error> error) {
    error ? answer(tl::unexpected(std::move(*error))) : answer({});
  };
  return action;
}

}  // namespace

void Target::set(std::uint32_t count, std::string token, Answer<void> answer) {
  auto action = plain_action(Verb::set, mono_now() + impl_->options.set_deadline,
                             [driver = impl_->driver.get(), count, token = std::move(token)](MonoTime deadline) {
                               return driver->set(count, token, deadline);
                             }, std::move(answer));
  action->count = count;
  impl_->submit(std::move(action));
}

void Target::remove(std::string instance, Duration grace, Answer<void> answer) {
  impl_->submit(plain_action(Verb::remove, mono_now() + grace + impl_->options.remove_slack,
                             [driver = impl_->driver.get(), instance = std::move(instance), grace](MonoTime deadline) {
                               return driver->remove(instance, grace, deadline);
                             }, std::move(answer)));
}

void Target::mark_ready(const std::string& instance) { impl_->driver->mark_ready(instance); }

Status Target::status() const {
  const std::lock_guard lock(impl_->mutex);
  auto out = impl_->health.status(mono_now());
  out.waiting = static_cast<unsigned>(impl_->lanes[0].waiting.size() + impl_->lanes[1].waiting.size());
  out.running = impl_->lanes[0].threads + impl_->lanes[1].threads;
  return out;
}

}  // namespace nlb::orchestrator
