#include "tools/nlb-deploy/answer.hpp"

#include <iostream>

#include "libnlb/cli/ndjson.hpp"

namespace nlb::deploy {

void add_wait_options(CLI::App& verb, WaitOptions& options) {
  verb.add_flag("--wait", options.wait, "until the rollout has ended or waits for a person; Ctrl-C leaves it running");
  verb.add_flag("--watch", options.watch, "as --wait, with a live view (NDJSON when piped)");
  verb.add_option("--timeout", options.timeout, "with --wait or --watch: give up waiting after this (exit code 5); the rollout goes on")->option_text("TIME");
}

Result<cli::ExitCode> finish(const Client& client, const std::string& service, const Result<v1::CommandReply>& reply, const WaitOptions& wait,
                             const cli::Common& common) {
  if (!reply) return tl::unexpected(reply.error());
  if (!reply->accepted()) return fail(ErrorKind::refused, reply->refused());
  if (cli::effective_output(common) == cli::Output::ndjson) {
    cli::Json json = {{"service", service}, {"accepted", true}, {"revision", reply->revision()}, {"id", reply->id()}, {"repeated", reply->repeated_request()}};
    auto& legal = json["legal_verbs"] = cli::Json::array();
    for (const auto& verb : reply->legal_verbs()) legal.push_back(verb);
    std::cout << cli::json_line(json) << std::endl;
  } else {
    std::cout << service << ": accepted, revision " << reply->revision() << (reply->repeated_request() ? " (this id was answered before)" : "") << std::endl;
  }
  if (!wait.wait && !wait.watch) return cli::ExitCode::done;
  Follow wanted{service, true, !wait.watch, {}};
  if (!wait.timeout.empty()) {
    const auto timeout = parse_duration(wait.timeout);
    if (!timeout) return tl::unexpected(timeout.error());
    wanted.timeout = *timeout;
  }
  return follow(client, wanted, common);
}

}  // namespace nlb::deploy
