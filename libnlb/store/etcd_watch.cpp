#include "libnlb/store/etcd_watch.hpp"

#include "libnlb/store/clock.hpp"

namespace nlb::store {

using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');
  ++prefix.back();
  return prefix;
}

EtcdWatch::EtcdWatch(EtcdClient& client, std::string prefix, std::size_t cut, Revision from)
    : client_(client), prefix_(std::move(prefix)), cut_(cut), next_(from), thread_([this] { run(); }) {}

EtcdWatch::~EtcdWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (stream_ != nullptr) stream_->TryCancel();
  }
  changed_.notify_all();
  thread_.join();
}

void EtcdWatch::run() {
  do {
    if (auto* endpoint = client_.connected(steady_now() + std::chrono::milliseconds(500))) {
      follow(*endpoint);
      client_.avoid(*endpoint);
    } else {
      const std::lock_guard lock(mutex_);
      error_ = Error{ErrorKind::unavailable, "etcd: watch " + prefix_ + ": no endpoint answers: it goes on by itself when one does"};
    }
  } while (pause());
}

bool EtcdWatch::pause() {
  std::unique_lock lock(mutex_);
  changed_.notify_all();
  changed_.wait_for(lock, reconnect_min, [this] { return stop_ || compacted_; });
  return !stop_ && !compacted_;
}

void EtcdWatch::follow(EtcdClient::Endpoint& endpoint) {
  grpc::ClientContext context;
  EtcdClient::prepare(context);
  WatchRequest request;
  auto& create = *request.mutable_create_request();
  create.set_key(prefix_);
  create.set_range_end(prefix_end(prefix_));
  create.set_progress_notify(true);            // an idle watch follows the store's revision, and compaction doesn't overtake it
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    stream_ = &context;
    create.set_start_revision(next_);
  }
  const auto stream = endpoint.watch->Watch(&context);
  WatchResponse response;
  bool on = stream->Write(request);
  while (on && stream->Read(&response)) on = take(response);
  context.TryCancel();
  const auto status = stream->Finish();
  const std::lock_guard lock(mutex_);
  stream_ = nullptr;
  error_ = error_of("watch " + prefix_, status);
  if (error_->kind == ErrorKind::timeout || status.error_code() == grpc::StatusCode::CANCELLED) error_->kind = ErrorKind::unavailable;
}

bool EtcdWatch::take(const WatchResponse& response) {
  const std::lock_guard lock(mutex_);
  error_.reset();
  for (const auto& event : response.events()) {
    const auto& kv = event.kv();
    const bool removed = event.type() == mvccpb::Event::DELETE;
    auto key = kv.key().substr(cut_);
    events_.push_back(removed ? Event{true, {std::move(key), {}, 0, kv.mod_revision(), 0}}
                              : Event{false, {std::move(key), kv.value(), kv.create_revision(), kv.mod_revision(), kv.lease()}});
    next_ = kv.mod_revision() + 1;
  }
  if (response.events().empty() && !response.created() && !response.canceled()) next_ = std::max(next_, response.header().revision() + 1);
  if (response.compact_revision() != 0 || events_.size() > history_events_max) {
    compacted_ = true;
    events_.clear();
  }
  changed_.notify_all();
  return !stop_ && !compacted_ && !response.canceled();
}

Batch EtcdWatch::drain() {
  Batch batch{{std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end())}, next_ - 1, compacted_};
  events_.clear();
  return batch;
}

Result<Batch> EtcdWatch::next(Duration wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, steady_now() + wait, [this] { return !events_.empty() || compacted_; });
  if (events_.empty() && !compacted_ && error_) return tl::unexpected(*error_);
  return drain();
}

}  // namespace nlb::store
