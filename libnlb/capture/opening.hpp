// Judges a flow by the first bytes of both directions while they arrive.
//
// Who is the client is known from SYN or SYN-ACK; without them it is who sends what only a client sends, or who receives what only a
// server sends, and ports decide nothing but the direction of a flow that stays unknown. A client's match decides at once. A server's
// MySQL greeting decides, since there the server speaks first. A server's HTTP or TLS answer decides only when the flow ends and the
// client's side was not captured. A flow is unknown as soon as neither side can say anything else.
//
// A flow that was already running when the capture began is judged by its first payload in view, and only if that opens a message; a
// single byte without PSH there is a keep-alive probe (RFC 9293 section 3.8.4) and no beginning.
#pragma once

#include <cstdint>

#include "libnlb/capture/first_bytes.hpp"
#include "libnlb/capture/flow.hpp"
#include "libnlb/inspect/detector.hpp"

namespace nlb::capture {

struct JudgeOptions {
  bool details = true;
  bool evidence = false;
};

class Opening {   // one owner, not thread safe
 public:
  // Takes a segment of `side`; true when nothing more is wanted and the Opening may go.
  bool take(Flow& flow, unsigned side, const Segment& segment, const JudgeOptions& options);
  // The flow has ended (or gives way): decides with what is there.
  void settle(Flow& flow, const JudgeOptions& options);

 private:
  struct Half {
    FirstBytes bytes;
    inspect::Verdict verdict{inspect::Answer::more, Protocol::unknown, 0, 1, 0};
    std::uint32_t header = 0;   // bytes of a PROXY header in front
    bool spoke = false;
  };
  void start(const Flow& flow, unsigned side, const Segment& segment);
  void judge(Flow& flow, unsigned side, Bytes bytes);
  void judge_as(Half& half, Bytes bytes, inspect::Speaker from);
  void find_roles(Flow& flow, unsigned side, Bytes bytes);
  bool decide(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options);
  bool hear_both(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options);
  void claim(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options);
  void give_up(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options);
  bool tell(Flow& flow, unsigned side, Bytes bytes);

  Half halves_[2];
};

}  // namespace nlb::capture
