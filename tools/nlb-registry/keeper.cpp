#include "tools/nlb-registry/keeper.hpp"

#include "libnlb/bus/records.hpp"
#include "libnlb/daemon/log.hpp"
#include "nlb/v1/stored.pb.h"

namespace nlb::registrar {

namespace {

constexpr std::size_t batch_operations_max = store::operations_max / 2;
constexpr std::size_t batch_bytes_max = store::transaction_bytes_max / 2;
std::string key_of(const registry::ModuleKey& key) { return "modules/" + registry::module_id(key); }

}  // namespace

std::string encode(const registry::Stored& stored) {
  v1::StoredModule out;
  *out.mutable_module() = bus::to_proto(stored.module);
  out.set_lease_id(stored.lease_id);
  out.set_caller(stored.caller);
  out.set_operator_drain(stored.operator_drain);
  out.set_dismissed(stored.dismissed);
  out.set_gone(stored.gone);
  return out.SerializeAsString();
}

Result<registry::Stored> decode(std::string_view bytes) {
  v1::StoredModule in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return fail(ErrorKind::bad_input, "read a stored module: damaged");
  auto module = bus::from_proto(in.module());
  if (!module) return tl::unexpected(module.error());
  return registry::Stored{std::move(*module), in.lease_id(), in.caller(), in.operator_drain(), in.dismissed(), in.gone()};
}

Keeper::Keeper(std::unique_ptr<store::Store> store) : store_(std::move(store)), thread_([this] { run(); }) {}

Keeper::~Keeper() { finish(); }

void Keeper::finish() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  woken_.notify_one();
  thread_.join();
}

void Keeper::submit(Item item) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(item));
    status_.waiting = queue_.size();
  }
  woken_.notify_one();
}

void Keeper::load(std::optional<store::Condition> fence, Loaded loaded) {
  submit({{}, {}, [this, fence = std::move(fence), loaded = std::move(loaded)] { read(fence, loaded); }});
}
void Keeper::look(std::string key, std::function<void(std::string)> seen) {
  submit({{}, {}, [this, key = std::move(key), seen = std::move(seen)] {
            const auto entry = store_->get(key);
            seen(entry && *entry ? (*entry)->value : std::string());
          }});
}
void Keeper::put(const registry::Stored& stored, Done done) {
  submit({store::put_of(key_of(stored.module.key()), encode(stored)), std::move(done), {}});
}
void Keeper::remove(const registry::ModuleKey& key, Done done) { submit({store::remove_of(key_of(key)), std::move(done), {}}); }

Keeper::Status Keeper::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void Keeper::run() {
  for (;;) {
    auto items = wait_for_work();
    const bool last = items.empty();
    while (!items.empty()) {
      if (items.front().reads) {
        items.front().reads();
        items.pop_front();
      } else {
        write(items);
      }
    }
    std::unique_lock lock(mutex_);
    const bool over = stop_ && queue_.empty();
    lock.unlock();
    if (last && !owed_.empty()) {
      std::deque<Item> none;
      write(none);
    }
    if (over) return;
  }
}

std::deque<Keeper::Item> Keeper::wait_for_work() {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return stop_ || !queue_.empty(); };
  if (owed_.empty()) woken_.wait(lock, ready);
  else woken_.wait_for(lock, retry_after, ready);
  status_.waiting = 0;
  return std::exchange(queue_, {});
}

void Keeper::read(const std::optional<store::Condition>& fence, const Loaded& loaded) {
  owed_.clear();
  fence_ = fence;
  auto entries = store_->range("modules/");
  if (!entries) return loaded(tl::unexpected(entries.error()));
  std::vector<registry::Stored> all;
  for (const auto& entry : entries->entries) {
    auto stored = decode(entry.value);
    if (stored) all.push_back(std::move(*stored));
    else daemon::log::warning("a stored module can't be read and is left out", {{"key", entry.key}, {"reason", stored.error().text}});
  }
  loaded(std::move(all));
}

// One transaction: what is owed, and as many of the waiting changes as fit. The last value of a key is the one that is written.
void Keeper::write(std::deque<Item>& items) {
  std::map<std::string, store::Operation> batch;
  std::size_t bytes = 0;
  while (!owed_.empty() && batch.size() < batch_operations_max && bytes < batch_bytes_max) {
    auto node = owed_.extract(owed_.begin());
    bytes += node.key().size() + node.mapped().value.size();
    batch.insert(std::move(node));
  }
  std::vector<Done> waiting;
  while (!items.empty() && !items.front().reads && batch.size() < batch_operations_max && bytes < batch_bytes_max) {
    auto& item = items.front();
    bytes += item.operation.key.size() + item.operation.value.size();
    owed_.erase(item.operation.key);
    waiting.push_back(std::move(item.done));
    auto key = item.operation.key;
    batch.insert_or_assign(std::move(key), std::move(item.operation));
    items.pop_front();
  }
  store::Transaction transaction;
  if (fence_) transaction.when.push_back(*fence_);
  for (const auto& [key, operation] : batch) transaction.then.push_back(operation);
  const auto result = store_->commit(transaction);
  settle(result, batch);
  for (const auto& done : waiting)
    if (done) done(result ? Result<>{} : Result<>(tl::unexpected(result.error())));
}

void Keeper::settle(const Result<store::Committed>& result, const std::map<std::string, store::Operation>& batch) {
  std::string text;
  if (result) {
    text.clear();
  } else {
    text = result.error().text;
    if (result.error().kind == ErrorKind::conflict) owed_.clear();
    else owed_.insert(batch.begin(), batch.end());
  }
  std::unique_lock lock(mutex_);
  ++(result ? status_.commits : status_.failed);
  const bool fresh = status_.last_error.empty() != text.empty();
  status_.last_error = text;
  status_.owed = owed_.size();
  lock.unlock();
  if (fresh && !result) daemon::log::error("the store takes no changes; what is known stays in memory and is tried again", {{"reason", text}});
  else if (fresh) daemon::log::info("the store takes changes again");
}

}  // namespace nlb::registrar
