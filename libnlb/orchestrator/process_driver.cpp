// The thread around the supervisor: it sleeps on the pidfds of all members and on an eventfd that wakes it for news.
#include "libnlb/orchestrator/process_driver.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/orchestrator/supervisor.hpp"

namespace nlb::orchestrator {

using daemon::mono_now;
namespace {

std::string state_stem(const ProcessOptions& options) {
  return options.state_folder + "/processes-" + options.service + (options.version.empty() ? "" : "-" + options.version);
}

// A child that was forked and waits for its release shares the lock for the instant until it notices that its supervisor died.
constexpr Duration lock_patience = std::chrono::seconds(1), lock_pause = std::chrono::milliseconds(10);

Result<Descriptor> take_lock(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock) return fail(ErrorKind::unavailable, "can't open " + path + ": " + std::strerror(errno) + ": correct the state folder's permissions");
  for (const auto end = mono_now() + lock_patience; mono_now() < end; std::this_thread::sleep_for(lock_pause))
    if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  return fail(ErrorKind::unavailable, "another nlb-scale supervises these processes: " + path + " is locked: stop it, or use another state folder");
}

}  // namespace

struct ProcessDriver::Impl {
  Impl(ProcessOptions o, Descriptor l, const std::string& state_path)
      : lock_file(std::move(l)), news(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), supervisor(std::move(o), state_path) {}
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake();
    if (thread.joinable()) thread.join();
  }

  void wake() const {
    const std::uint64_t one = 1;
    if (write(news.get(), &one, sizeof one) < 0) return;   // full: it is awake already
  }

  // Descriptors are closed by this thread alone or under the lock while it doesn't poll them: members leave only in look().
  int sleep_until_news(std::unique_lock<std::mutex>& lock) {
    std::vector<pollfd> all = {{news.get(), POLLIN, 0}};
    for (const auto& member : supervisor.members())
      if (member.process) all.push_back({member.process.get(), POLLIN, 0});
    const auto next = supervisor.next_look(mono_now());
    const auto wait = next ? std::chrono::ceil<std::chrono::milliseconds>(std::max(Duration{}, *next - mono_now())).count() : -1;
    lock.unlock();
    const int ready = poll(all.data(), all.size(), static_cast<int>(wait));
    std::uint64_t drained = 0;
    if (read(news.get(), &drained, sizeof drained) < 0) drained = 0;
    lock.lock();
    return ready;
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      supervisor.look(mono_now());
      changed.notify_all();
      sleep_until_news(lock);
    }
  }

  const Descriptor lock_file, news;
  std::mutex mutex;   // guards what follows
  std::condition_variable changed;
  Supervisor supervisor;
  bool stopping = false;
  std::thread thread;
};

ProcessDriver::ProcessDriver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessDriver::~ProcessDriver() = default;

Result<std::unique_ptr<ProcessDriver>> ProcessDriver::start(ProcessOptions options) {
  if (options.command.empty()) return fail(ErrorKind::config, "target process has no command: add 'command: [program, argument, ...]'");
  const auto stem = state_stem(options);
  auto lock = take_lock(stem + ".lock");
  if (!lock) return tl::unexpected(lock.error());
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*lock), stem + ".json");
  if (auto adopted = impl->supervisor.adopt(mono_now()); !adopted) return tl::unexpected(adopted.error());
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ProcessDriver>(new ProcessDriver(std::move(impl)));
}

Result<Observation> ProcessDriver::observe(MonoTime) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->supervisor.observe(mono_now());
}

Result<> ProcessDriver::set(std::uint32_t count, const std::string& token, MonoTime) {
  const std::lock_guard lock(impl_->mutex);
  if (!token.empty() && token != impl_->supervisor.token())
    return fail(ErrorKind::conflict, "the wanted count changed meanwhile (state " + impl_->supervisor.token() + ", expected " + token + "): observe again");
  auto done = impl_->supervisor.set(count, mono_now());
  impl_->wake();
  return done;
}

Result<> ProcessDriver::remove(const std::string& instance, Duration grace, MonoTime deadline) {
  std::unique_lock lock(impl_->mutex);
  auto* member = impl_->supervisor.find(instance);
  if (!member) return {};
  impl_->supervisor.withdraw(*member);
  impl_->supervisor.stop(*member, grace, mono_now());
  auto saved = impl_->supervisor.save();
  impl_->wake();
  if (impl_->changed.wait_until(lock, deadline, [&] { return impl_->supervisor.find(instance) == nullptr; })) return saved;
  return fail(ErrorKind::timeout, "process of instance '" + instance + "' has not ended by the deadline, though it was killed: look at it with ps");
}

void ProcessDriver::mark_ready(const std::string& instance) {
  const std::lock_guard lock(impl_->mutex);
  impl_->supervisor.mark_ready(instance, mono_now());
}

}  // namespace nlb::orchestrator
