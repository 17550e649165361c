// What the command line of nlb-inspect says, as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/cli/config_file.hpp"
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

struct BusOptions {
  std::vector<std::string> topics;     // classes or beginnings of topics; empty: all
  std::vector<std::string> connect;
  cli::ConfigOptions config;
  bool once = false;
  std::uint64_t count = 0;             // lines; 0: no end
  std::string timeout = "2s";
};

struct Options {
  cli::Common common;
  CaptureOptions capture;
  BytesOptions bytes;
  BusOptions bus;
};

struct Commands { CLI::App *bytes, *bus; };

// Declares every option.
Commands declare(CLI::App& app, Options& options);

}  // namespace nlb::inspect_tool
