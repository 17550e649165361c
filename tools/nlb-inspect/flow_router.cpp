#include "tools/nlb-inspect/flow_router.hpp"

#include <algorithm>
#include <iostream>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/relay/plan_builder.hpp"

namespace nlb::inspect_tool {
namespace {

bool serves(const config::Listener& listener, const capture::Flow& flow) {
  const auto server = flow.client_side() ^ 1u;
  return std::any_of(listener.addresses.begin(), listener.addresses.end(), [&](const Endpoint& address) {
    const bool any = address.ip == IpAddress::v4(0) || address.ip == IpAddress{};
    return address.kind == Endpoint::Kind::ip && address.port == flow.key.port[server] && (any || address.ip == flow.key.address[server]);
  });
}

std::string_view detail(const capture::Flow& flow, std::string_view key) {
  if (!flow.story) return {};
  for (const auto& [name, value] : flow.story->details)
    if (name == key) return value;
  return {};
}

// A forwarder would have had nothing to go by. (That a server spoke first is not enough: an SSH client doesn't wait for it.)
bool client_was_silent(const capture::Flow& flow) {
  return (flow.protocol == Protocol::mysql && !flow.guessed) || flow.bytes[flow.client_side()] == 0;
}

}  // namespace

Result<std::unique_ptr<FlowRouter>> FlowRouter::load(const std::string& path) {
  cli::ConfigOptions options;
  options.file = path;
  auto file = cli::load_config(options, "forward");
  if (!file) return tl::unexpected(file.error());
  std::unique_ptr<FlowRouter> router(new FlowRouter(std::move(file->config)));
  auto input = relay::to_table_input(router->config_);
  for (const auto& listener : router->config_.listen) input.listeners.push_back(listener.name);
  auto table = route::Table::build(std::move(input), router->roster_, MonoTime{});
  if (!table) return fail(ErrorKind::config, path + ": " + table.error().text);
  router->table_ = std::move(*table);
  for (const auto& warning : router->table_->warnings()) std::cerr << "nlb-inspect: " << path << ": " << warning << "\n";
  return router;
}

// The listener at the flow's server; for a capture from elsewhere the first one that detects, since that is where traffic would come in.
const config::Listener& FlowRouter::listener_of(const capture::Flow& flow) const {
  const auto& all = config_.listen;
  if (all.empty()) return nameless_;
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& l) { return serves(l, flow); });
  if (found == all.end()) found = std::find_if(all.begin(), all.end(), [](const auto& l) { return !l.protocol; });
  return found == all.end() ? all.front() : *found;
}

Routed FlowRouter::route(const capture::Flow& flow) {
  const auto& listener = listener_of(flow);
  const auto name = listener.name.empty() ? std::string("the listener") : "listener " + listener.name;
  route::RouteQuestion question;
  if (&listener != &nameless_) question.listener = static_cast<std::uint16_t>(&listener - config_.listen.data());
  question.client = flow.key.address[flow.client_side()];
  question.details_complete = true;
  question.protocol = flow.guessed ? Protocol::unknown : flow.protocol;
  std::string why;
  if (listener.protocol) {
    question.protocol = *listener.protocol;
    why = name + " is fixed to " + std::string(to_string(*listener.protocol)) + "; ";
  } else if (client_was_silent(flow)) {
    if (!listener.silent.protocol) return {{}, {}, "the client waits for the server, and " + name + " doesn't say what silence means: closed"};
    question.protocol = *listener.silent.protocol;
    why = "the client waits for the server, which " + name + " takes for " + std::string(to_string(question.protocol)) + "; ";
  }
  question.sni = detail(flow, "sni");
  question.alpn = detail(flow, "alpn");
  question.http_host = detail(flow, "http_host");
  question.database = detail(flow, "database");
  question.user = detail(flow, "user");
  return pick(question, flow, std::move(why));
}

Routed FlowRouter::pick(const route::RouteQuestion& question, const capture::Flow& flow, std::string why) {
  const auto answer = table_->route(question);
  why += table_->explain(answer);
  if (answer.kind != route::RouteAnswer::Kind::service) return {{}, {}, why + ": refused"};
  const auto& service = table_->service(answer.service);
  route::PickQuestion which{.client = question.client, .now = MonoTime(Duration(flow.first_ns)), .rng = rng_};
  if (service.options.hash_sni && question.protocol == Protocol::tls && !question.sni.empty()) which.hash_key = route::key_of(question.sni);
  const auto picked = table_->pick(answer.service, which);      // its slot is free again when this function returns
  return {service.name, picked ? picked.slot->identity.name : std::string(), why + "; " + table_->explain(answer.service, picked)};
}

}  // namespace nlb::inspect_tool
