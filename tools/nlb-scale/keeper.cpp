#include "tools/nlb-scale/keeper.hpp"

#include <nlohmann/json.hpp>

namespace nlb::tool {

using Json = nlohmann::json;

std::string encode(const Event& e) {
  return Json{{"service", e.service}, {"version", e.version}, {"text", e.text}, {"actor", e.actor}, {"id", e.id}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

Event decode_event(const store::JournalRecord& record) {
  const auto json = Json::parse(record.body, nullptr, false);
  const auto text = [&](const char* key) { return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
  return {record.seq, record.at_wall, record.kind, text("service"), text("version"), text("text"), text("actor"), record.command, text("id")};
}

Keeper::Keeper(store::Store& store, std::optional<store::Condition> fence, Post post)
    : store_(store), fence_(std::move(fence)), post_(std::move(post)), thread_([this] { run(); }) {}

Keeper::~Keeper() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Keeper::commit(store::Transaction transaction, Done done) {
  if (fence_) transaction.when.push_back(*fence_);
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= commits_waiting_max) {
    if (done) post_([done = std::move(done)] { done(fail(ErrorKind::unavailable, "the store is too far behind: nothing is changed until it answers")); });
    return;
  }
  queue_.push_back({std::move(transaction), std::move(done)});
  changed_.notify_all();
}

void Keeper::run() {
  std::unique_lock lock(mutex_);
  std::optional<MonoTime> give_up;
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (ending_ && !give_up) give_up = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    if (queue_.empty() || (give_up && std::chrono::steady_clock::now() > *give_up)) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    auto done = store_.commit(work.transaction);
    if (work.done)
      post_([result = std::move(done), answer = std::move(work.done)] {
        answer(result ? Result<std::uint64_t>(result->journal_seq) : tl::unexpected(result.error()));
      });
    lock.lock();
  }
}

Result<std::vector<Event>> Keeper::history(store::Store& store, std::size_t count) {
  std::deque<Event> last;
  std::uint64_t from = 1;
  while (true) {
    auto page = store.journal(from, 1000);
    if (!page) return tl::unexpected(page.error());
    if (page->empty()) break;
    for (const auto& record : *page) {
      last.push_back(decode_event(record));
      if (last.size() > count) last.pop_front();
    }
    from = page->back().seq + 1;
  }
  return std::vector<Event>(last.begin(), last.end());
}

}  // namespace nlb::tool
