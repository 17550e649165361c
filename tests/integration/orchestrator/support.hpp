// What the orchestrator tests share: a temporary folder, waiting with a bound, answers of a Target as values, facts about processes.
#pragma once

#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <string>
#include <thread>

#include "libnlb/orchestrator/target.hpp"

namespace nlb::orchestrator::test {

struct TempFolder {
  std::filesystem::path path;
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nlb-orch-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

inline MonoTime in(Duration d) { return std::chrono::steady_clock::now() + d; }

inline bool eventually(const std::function<bool()>& condition, Duration bound = std::chrono::seconds(20)) {
  for (const auto end = in(bound); std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(std::chrono::milliseconds(5)))
    if (condition()) return true;
  return condition();
}

// Running, and not a zombie.
inline bool lives(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);   // fails quietly when the process ends meanwhile
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

inline std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

inline std::size_t zombies() {   // among our children
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    for (int pid = 0; children >> pid;) count += lives(pid) ? 0 : 1;
  }
  return count;
}

template <class T>
Result<T> wait_for(std::future<Result<T>> answer) {
  if (answer.wait_for(std::chrono::seconds(30)) == std::future_status::ready) return answer.get();
  return fail(ErrorKind::internal, "the target never answered");
}

template <class T> struct Promise {
  std::shared_ptr<std::promise<Result<T>>> promise = std::make_shared<std::promise<Result<T>>>();
  std::function<void(Result<T>)> answer() { return [p = promise](Result<T> result) { p->set_value(std::move(result)); }; }
  std::future<Result<T>> future() { return promise->get_future(); }
};

inline Result<Observation> observe(Target& target) {
  Promise<Observation> p;
  auto answer = p.future();
  target.observe(p.answer());
  return wait_for(std::move(answer));
}

inline Result<> set(Target& target, std::uint32_t count, const std::string& token = {}) {
  Promise<void> p;
  auto answer = p.future();
  target.set(count, token, p.answer());
  return wait_for(std::move(answer));
}

inline Result<> remove(Target& target, const std::string& instance, Duration grace) {
  Promise<void> p;
  auto answer = p.future();
  target.remove(instance, grace, p.answer());
  return wait_for(std::move(answer));
}

}  // namespace nlb::orchestrator::test
