// All flows that are open, found by address pair in one probe or two: an open-addressing index of (hash, number) over flows that lie
// in chunks, so that a flow never moves and a packet costs two cache misses at most.
//
// Bounded: flows_max flows; the flow that was looked at longest ago makes room (a second-chance list: a flow that was busy since goes to
// the back instead) and evicted() counts it. A closed flow (both FINs, or a reset) is given to `on_end` once `linger` of capture time has
// passed, so that late retransmissions still find it; an idle one after `idle`. A SYN with another initial sequence number on a known
// pair starts a new flow. Time is the capture's and may jump; nothing here reads a clock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "libnlb/capture/flow.hpp"
#include "libnlb/capture/opening.hpp"

namespace nlb::capture {

struct FlowOptions {
  std::size_t flows_max = 1'000'000;
  std::int64_t idle_ns = 3'600'000'000'000;
  std::int64_t linger_ns = 5'000'000'000;
  bool ports = false;       // guess by the server's port where content says nothing
  JudgeOptions judge{};
  std::uint64_t seed = 0;   // of the hash
};

class FlowTable {   // one owner, not thread safe
 public:
  using OnEnd = std::function<void(Flow&)>;
  FlowTable(FlowOptions options, OnEnd on_end);
  ~FlowTable();

  std::uint64_t hash(const FlowKey& key) const { return key.hash(options_.seed); }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&index_[hash & mask_]); }
  void prefetch_flow(std::uint64_t hash) const;

  // Counts the segment and judges what it brings. The reference lives until the next call.
  Flow& add(const Segment& segment, const FlowKey& key, unsigned side, std::uint64_t hash, std::int64_t now_ns);
  Flow& add(const Segment& segment, std::int64_t now_ns) {
    unsigned side = 0;
    const auto key = FlowKey::of(segment, side);
    return add(segment, key, side, hash(key), now_ns);
  }
  void expire(std::int64_t now_ns);   // ends what is closed or idle; add() does so by itself
  void finish();                      // ends everything, in the order of first packets

  std::size_t open() const { return used_; }
  std::uint64_t seen() const { return seen_; }
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Entry { std::uint32_t hash = 0, flow = 0; };   // flow 0: free
  struct List { std::uint32_t oldest = 0, newest = 0; };
  static constexpr std::uint32_t chunk_flows = 1024;

  Flow& at(std::uint32_t id) const { return chunks_[id / chunk_flows][id % chunk_flows]; }
  std::uint32_t find(const FlowKey& key, std::uint64_t hash) const;
  std::uint32_t create(const FlowKey& key, std::uint64_t hash, std::int64_t now_ns);
  void end(std::uint32_t id);
  void make_room();
  bool starts_anew(const Flow& flow, const Segment& segment, unsigned side) const;
  void note_start(Flow& flow, const Segment& segment, unsigned side);
  void note_close(std::uint32_t id, const Segment& segment, unsigned side);
  void take_payload(Flow& flow, const Segment& segment, unsigned side);
  void guess_client(Flow& flow) const;
  void insert(std::uint32_t id);
  void erase(std::uint32_t id);
  void grow();
  void push(List& list, std::uint32_t id);
  void unlink(std::uint32_t id);
  bool second_chance(std::uint32_t id);

  FlowOptions options_;
  OnEnd on_end_;
  std::vector<Entry> index_;
  std::size_t mask_ = 0;
  std::vector<std::unique_ptr<Flow[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_id_ = 1;
  List open_, closed_;
  std::size_t used_ = 0;
  std::uint64_t seen_ = 0, evicted_ = 0, ticks_ = 0;
};

}  // namespace nlb::capture
