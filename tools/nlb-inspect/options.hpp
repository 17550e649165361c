// What the command line of nlb-inspect says, as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/cli/tool.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/inspect/detector.hpp"

namespace nlb::inspect_tool {

struct CaptureOptions {
  std::vector<std::string> files;
  std::string interface;
  std::string filter;                   // BPF
  std::vector<std::string> protocols;   // empty: all
  std::string save_to;
  std::string route;                    // an nlb.yaml
  bool summary = false;
  bool explain = false;
  bool ports = false;
  std::size_t flows_max = 1'000'000;
  std::string idle = "1h";
};

struct BytesOptions {
  std::string file = "-";
  bool hex = false;
  bool lines = false;
  inspect::Speaker from = inspect::Speaker::client;
};

struct Options {
  cli::Common common;
  CaptureOptions capture;
  BytesOptions bytes;
};

// Declares every option; the returned subcommand is `bytes`.
CLI::App* declare(CLI::App& app, Options& options);

}  // namespace nlb::inspect_tool
