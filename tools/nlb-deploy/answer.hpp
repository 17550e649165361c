// What every changing verb does with its answer: print it, wait when asked to, and give the exit code.
#pragma once

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-deploy/client.hpp"
#include "tools/nlb-deploy/follow.hpp"

namespace nlb::deploy {

struct WaitOptions {
  bool wait = false, watch = false;
  std::string timeout;
};
void add_wait_options(CLI::App& verb, WaitOptions& options);

// refused: the text says which verbs are legal now. With --wait or --watch the exit code is the rollout's.
Result<cli::ExitCode> finish(const Client& client, const std::string& service, const Result<v1::CommandReply>& reply, const WaitOptions& wait,
                             const cli::Common& common);

}  // namespace nlb::deploy
