// Joins what both directions of one flow say. A forwarder has only the client's bytes; a capture has both, and they correct each other:
// MySQL is known by its server, an inline command that FTP, SMTP or NNTP share with Redis is refuted by the server's first line, and where
// only responses were captured they speak for the flow.
#pragma once

#include "libnlb/inspect/detector.hpp"

namespace nlb::inspect {

struct FlowVerdict {
  Verdict verdict;
  Speaker decided_by = Speaker::client;
};

// First bytes of each direction, either may be empty (not seen yet, or never). The answer may change while bytes of the other direction are
// still to come; ask again when they do.
FlowVerdict judge_flow(Bytes client, Bytes server);

}  // namespace nlb::inspect
