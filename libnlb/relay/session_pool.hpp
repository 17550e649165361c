// Sessions in chunks of 256, reused last in first out. Sessions that ended rest until the batch of events is through, because an event
// of the same batch may still point at them. Owner: one worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "libnlb/relay/session.hpp"

namespace nlb::relay {

class SessionPool {
 public:
  Session& take() {
    if (free_.empty()) grow();
    Session* session = free_.back();
    free_.pop_back();
    ++in_use_;
    return *session;
  }
  void bury(Session& session) {   // precondition: phase == closed
    resting_.push_back(&session);
    --in_use_;
  }
  void recycle() {                // between two batches of events
    for (Session* session : resting_) {
      *session = Session{};
      free_.push_back(session);
    }
    resting_.clear();
  }
  std::uint32_t in_use() const { return in_use_; }
  std::size_t bytes() const { return chunks_.size() * sizeof(Chunk); }

  template <class F>
  void for_each_open(F&& visit) {
    for (auto& chunk : chunks_)
      for (auto& session : *chunk)
        if (session.phase != Phase::closed) visit(session);
  }

 private:
  using Chunk = std::array<Session, 256>;
  void grow() {
    chunks_.push_back(std::make_unique<Chunk>());
    free_.reserve(chunks_.size() * 256);
    for (auto it = chunks_.back()->rbegin(); it != chunks_.back()->rend(); ++it) free_.push_back(&*it);
  }
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Session*> free_, resting_;
  std::uint32_t in_use_ = 0;
};

}  // namespace nlb::relay
