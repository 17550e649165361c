// A watch on etcd: a thread of its own reads the stream, resumes it at the revision after the last one told, at the next endpoint when
// one is lost, and ends with `compacted` when etcd has forgotten that revision (or when the reader is too far behind).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "libnlb/store/etcd_client.hpp"

namespace nlb::store {

std::string prefix_end(std::string prefix);   // the first key after all that begin with `prefix`; "\0" when there is none

class EtcdWatch final : public Watch {
 public:
  // `prefix` is etcd's key; `cut` bytes at the front of each are not the caller's. `client` outlives the watch.
  EtcdWatch(EtcdClient& client, std::string prefix, std::size_t cut, Revision from);
  ~EtcdWatch() override;
  Result<Batch> next(Duration wait) override;

 private:
  void run();
  void follow(EtcdClient::Endpoint& endpoint);
  bool take(const etcdserverpb::WatchResponse& response);   // false: this stream, or the watch, is over
  bool pause();                                             // between two tries; false: stop
  Batch drain();

  EtcdClient& client_;
  const std::string prefix_;
  const std::size_t cut_;
  std::mutex mutex_;                           // guards all below
  std::condition_variable changed_;
  std::deque<Event> events_;                   // at most history_events_max
  Revision next_;
  bool compacted_ = false, stop_ = false;
  std::optional<Error> error_;                 // while cut off
  grpc::ClientContext* stream_ = nullptr;
  std::thread thread_;
};

}  // namespace nlb::store
