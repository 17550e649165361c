#include "libnlb/inspect/flow.hpp"

#include <string_view>

#include "libnlb/inspect/recognisers.hpp"

namespace nlb::inspect {

namespace {

bool is_resp(std::uint8_t first) { return std::string_view("+-:$*_,#(!=%~>|").find(static_cast<char>(first)) != std::string_view::npos; }

bool is_inline(const Verdict& v) { return v.answer == Answer::match && v.rule == static_cast<std::uint16_t>(Rule::redis_inline); }

// POP3 says +OK and -ERR too, and greets in words: "+OK POP server ready". Redis answers +OK alone.
bool refutes_redis(Bytes server) {
  if (server.empty()) return false;
  const auto text = as_text(server);
  return !is_resp(server[0]) || (text.starts_with("+OK ") || text.starts_with("* "));
}

}  // namespace

FlowVerdict judge_flow(Bytes client, Bytes server) {
  const Verdict by_server = detect(server, Speaker::server);
  const bool server_knows = by_server.answer == Answer::match;
  if (client.empty()) return server.empty() ? FlowVerdict{detect(client), Speaker::client} : FlowVerdict{by_server, Speaker::server};
  if (server_knows && by_server.protocol == Protocol::mysql) return {by_server, Speaker::server};
  Verdict by_client = detect(client);
  if (is_inline(by_client) && refutes_redis(server)) by_client = no_match(Rule::redis_inline, by_client.decided_at_byte);
  if (by_client.answer == Answer::more && server_knows) return {by_server, Speaker::server};
  return {by_client, Speaker::client};
}

}  // namespace nlb::inspect
