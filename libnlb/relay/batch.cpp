// Where many sockets have something to read at once, their small chunks are sent together at the end of the batch of events.
//
// Nothing is reordered: whatever else is about to happen to a session with a chunk in the batch (the next read of that direction, a held
// remainder, the end of a direction or of the session) sends the batch first, by settle(). Within the batch chunks keep their order. A
// chunk that is the last of its direction, is long, or counts against a limit of bytes never gets in.
#include <cerrno>

#include "libnlb/daemon/log.hpp"
#include "libnlb/relay/worker.hpp"

namespace nlb::relay {

void Worker::open_batch() {
  if (!setup_.io_uring) return;
  auto ring = Ring::open(SendBatch::sends_max);
  if (ring) batch_ = std::make_unique<SendBatch>(std::move(*ring), buffer_bytes);
  else daemon::log::info(ring.error().text, {{"worker", std::to_string(setup_.index)}});
}

// The bytes stand in the batch's room already.
Worker::Step Worker::queue_send(Session& s, Flow flow, std::size_t bytes) {
  batch_->add(s, flow, bytes);
  if (batch_->full()) settle();
  return s.phase == Phase::closed ? Step::ended : Step::open;
}

// Sends the batch and deals with what the sockets answered, as copy_once does with a single send.
void Worker::settle() {
  if (batch_->size() >= SendBatch::worth_a_ring) counters_.batched_sends.add(batch_->size());
  const auto [queued, sends] = batch_->send_all();
  for (std::size_t i = 0; i < queued.size(); ++i) {
    const auto& [descriptor, bytes, result] = sends[i];
    if (result == static_cast<std::int32_t>(bytes.size())) continue;
    Session& s = *queued[i].session;
    if (s.phase == Phase::closed) continue;   // by the failure of its other direction
    const Flow flow = queued[i].flow;
    if (result < 0 && result != -EAGAIN) finish(s, flow == Flow::up ? End::module_reset : End::client_reset);
    else hold(s, flow, bytes.subspan(result < 0 ? 0 : static_cast<std::size_t>(result)));
  }
}

}  // namespace nlb::relay
