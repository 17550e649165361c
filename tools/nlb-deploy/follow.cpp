#include "tools/nlb-deploy/follow.hpp"

#include <unistd.h>

#include <iostream>
#include <map>
#include <thread>

#include "libnlb/cli/live.hpp"
#include "libnlb/cli/text.hpp"
#include "tools/nlb-deploy/view.hpp"

namespace nlb::deploy {
namespace {

using Clock = std::chrono::steady_clock;

class Screen {
 public:
  Screen(const Follow& wanted, const cli::Common& common)
      : ndjson_(cli::effective_output(common) == cli::Output::ndjson), in_place_(!ndjson_ && !wanted.quiet && ::isatty(1) == 1), quiet_(wanted.quiet),
        color_(cli::use_color(common)), writer_(std::cout, true) {
    if (in_place_) view_.emplace(1);
  }

  void show(const v1::DeployStatus& status) {
    latest_[status.service()] = status;
    if (quiet_) return;
    if (ndjson_) return writer_.write(to_json(status));
    if (in_place_) {
      std::string text;
      for (const auto& [name, each] : latest_) text += (text.empty() ? "" : "\n") + draw(each, cli::terminal_width(1), color_);
      return view_->draw(text);
    }
    auto line = one_line(status);
    if (line == lines_[status.service()]) return;
    lines_[status.service()] = line;
    std::cout << cli::printable(line) << std::endl;
  }

  void last(const v1::DeployStatus& status) {
    if (!quiet_) return;
    if (ndjson_) writer_.write(to_json(status));
    else std::cout << cli::printable(one_line(status)) << std::endl;
  }

 private:
  bool ndjson_, in_place_, quiet_, color_;
  cli::NdjsonWriter writer_;
  std::optional<cli::LiveView> view_;
  std::map<std::string, v1::DeployStatus> latest_;
  std::map<std::string, std::string> lines_;
};

Error why_not_promoted(const v1::DeployStatus& status) {
  const auto phase = status.split().phase();
  std::string legal;
  for (const auto& verb : status.legal_verbs()) legal += (legal.empty() ? "" : ", ") + verb;
  return {ErrorKind::timeout, "the rollout of " + status.service() + " is " + phase + " and waits for a person: " + status.rollout().reason() + ": legal now: " + legal};
}

}  // namespace

cli::ExitCode exit_code_of(const v1::DeployStatus& status) {
  if (status.outcome() == "rolled_back") return cli::ExitCode::no;
  if (status.outcome() == "paused") return cli::ExitCode::timeout;
  return cli::ExitCode::done;
}

Result<cli::ExitCode> follow(const Client& client, const Follow& wanted, const cli::Common& common) {
  Screen screen(wanted, common);
  const auto begin = Clock::now();
  const auto end = wanted.timeout ? begin + *wanted.timeout : Clock::time_point::max();
  std::optional<v1::DeployStatus> newest;
  for (auto silent_since = Clock::now();;) {
    grpc::ClientContext context;
    if (wanted.timeout) context.set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()));
    v1::WatchDeployRequest request;
    request.set_service(wanted.service);
    request.set_until_end(wanted.until_end);
    const auto reader = client.watch(context, request);
    for (v1::DeployStatus status; reader->Read(&status);) {
      screen.show(status);
      newest = status;
      silent_since = Clock::now();
    }
    const auto status = reader->Finish();
    if (status.ok() && wanted.until_end && newest) {
      screen.last(*newest);
      const auto code = exit_code_of(*newest);
      if (code == cli::ExitCode::timeout) return tl::unexpected(why_not_promoted(*newest));
      return code;
    }
    if (Clock::now() >= end) {
      if (newest) screen.last(*newest);
      return fail(ErrorKind::timeout, "the rollout of " + wanted.service + " had not ended after " + format_duration(*wanted.timeout) + ": it goes on: follow it with get --watch");
    }
    const bool worth_it = newest.has_value() && (status.ok() || status.error_code() == grpc::UNAVAILABLE) && Clock::now() - silent_since < reconnect_max;
    if (!worth_it) return tl::unexpected(client.error_of(status));
    client.ask_next();
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

}  // namespace nlb::deploy
