// `unregister` and `drain`: a module gets no new sessions, and what its forwarders still have is shown until it has ended.
#include <algorithm>
#include <iostream>
#include <optional>
#include <thread>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-registry/commands.hpp"

namespace nlb::registrar {

using daemon::mono_now;

namespace {

constexpr Duration look_interval = std::chrono::milliseconds(500);      // forwarders report once a second

struct Leaving { std::string module, state, reason; std::uint64_t sessions = 0; };   // state: draining, up, gone, readmitted

void show(const Leaving& what, const cli::Common& common) {
  if (cli::effective_output(common) == cli::Output::ndjson) {
    cli::NdjsonWriter(std::cout).write({{"module", what.module}, {"phase", what.state}, {"draining", what.state == "draining"},
                                        {"sessions", what.sessions}, {"reason", what.reason}});
    return;
  }
  std::cout << what.module << " is " << what.state;
  if (what.state == "draining" || what.state == "up") std::cout << "; " << what.sessions << " sessions are open";
  std::cout << std::endl;
}

// The sessions of a module over all forwarders; nothing when it isn't listed.
Result<std::optional<std::uint64_t>> sessions_of(rpc::RegistryClient& client, const std::string& module) {
  v1::GetStatsRequest request;
  request.set_service(module.substr(0, module.find('/')));
  request.set_with_modules(true);
  const auto reply = client.get_stats(request);
  if (!reply) return tl::unexpected(reply.error());
  for (const auto& one : reply->module_stats())
    if (one.module_id() == module) return std::optional(one.sessions());
  return std::optional<std::uint64_t>();
}

// Until the module has gone, or (`for_sessions`) has no session left; each change is shown.
Result<cli::ExitCode> watch_it_leave(const Commands& c, const cli::Common& common, rpc::RegistryClient& client, Leaving what, bool for_sessions) {
  const auto bound = parse_duration(c.wait);
  for (const auto deadline = mono_now() + *bound;;) {
    const auto left = sessions_of(client, what.module);
    if (!left) return tl::unexpected(left.error());
    if (!*left) what.state = "gone";
    const auto sessions = left->value_or(0);
    if (!*left || sessions != what.sessions) {
      what.sessions = sessions;
      show(what, common);
    }
    if (!*left || (for_sessions && sessions == 0)) return cli::ExitCode::done;
    if (mono_now() >= deadline)
      return fail(ErrorKind::timeout, what.module + " still has " + std::to_string(sessions) + " sessions after " + c.wait + ": wait longer, or unregister it without --drain");
    std::this_thread::sleep_for(look_interval);
  }
}

Result<> check_wait(const Commands& c) {
  if (c.wait.empty()) return {};
  if (const auto bound = parse_duration(c.wait); !bound) return fail(ErrorKind::usage, "--wait: " + bound.error().text);
  return {};
}

}  // namespace

Result<cli::ExitCode> unregister(const Commands& c, const cli::Common& common) {
  const auto timeout = parse_duration(c.drain_timeout);
  if (!timeout) return fail(ErrorKind::usage, "--drain-timeout: " + timeout.error().text);
  if (auto ok = check_wait(c); !ok) return tl::unexpected(ok.error());
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  v1::UnregisterModuleRequest request;
  request.set_module_id(c.module);
  request.set_lease_id(c.lease_id);
  request.set_cancel(c.cancel);
  request.set_drain(c.drain);
  request.set_drain_timeout_ms(static_cast<std::uint32_t>(std::clamp<std::int64_t>(*timeout / 1ms, 1, 0xffffffff)));
  request.set_reason(c.reason);
  const auto reply = (*client)->unregister_module(request);
  if (!reply) return tl::unexpected(reply.error());
  const Leaving what{c.module, c.cancel ? "readmitted" : reply->draining() ? "draining" : "gone", c.reason, reply->draining() ? reply->sessions_remaining() : 0};
  show(what, common);
  return c.wait.empty() || !reply->draining() ? cli::ExitCode::done : watch_it_leave(c, common, **client, what, false);
}

Result<cli::ExitCode> drain(const Commands& c, const cli::Common& common) {
  if (auto ok = check_wait(c); !ok) return tl::unexpected(ok.error());
  auto client = connect(c.client);
  if (!client) return tl::unexpected(client.error());
  v1::DrainModuleRequest request;
  request.set_module_id(c.module);
  request.set_cancel(c.cancel);
  request.set_reason(c.reason);
  const auto reply = (*client)->drain_module(request);
  if (!reply) return tl::unexpected(reply.error());
  const Leaving what{c.module, short_name(v1::Phase_Name(reply->state().phase()), "PHASE_"), reply->state().reason(), reply->sessions_remaining()};
  show(what, common);
  return c.wait.empty() || c.cancel ? cli::ExitCode::done : watch_it_leave(c, common, **client, what, true);
}

}  // namespace nlb::registrar
