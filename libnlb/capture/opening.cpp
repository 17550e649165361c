#include "libnlb/capture/opening.hpp"

#include <algorithm>
#include <array>

#include "libnlb/inspect/flow.hpp"
#include "libnlb/inspect/proxy_header.hpp"
#include "libnlb/inspect/signatures.hpp"

namespace nlb::capture {
namespace {

using inspect::Answer;
using inspect::Speaker;

constexpr std::size_t evidence_bytes_max = 96;

struct DetailRow {
  std::string_view key;
  std::string_view inspect::Details::*value;
};
constexpr std::array<DetailRow, 10> detail_rows = {{
    {"sni", &inspect::Details::sni}, {"alpn", &inspect::Details::alpn}, {"http_method", &inspect::Details::http_method},
    {"http_target", &inspect::Details::http_target}, {"http_host", &inspect::Details::http_host}, {"user", &inspect::Details::user},
    {"database", &inspect::Details::database}, {"application", &inspect::Details::application},
    {"command", &inspect::Details::command}, {"server_version", &inspect::Details::server_version},
}};

Story& story_of(Flow& flow) {
  if (!flow.story) flow.story = std::make_unique<Story>();
  return *flow.story;
}

void note(Flow& flow, const inspect::Details& details) {
  for (const auto& row : detail_rows) {
    const auto value = details.*row.value;
    if (value.empty()) continue;
    auto& notes = story_of(flow).details;
    const auto at = std::find_if(notes.begin(), notes.end(), [&](const auto& n) { return n.first == row.key; });
    if (at == notes.end()) notes.emplace_back(row.key, value);
    else at->second = value;
  }
}

void note_proxied(Flow& flow, Bytes client_bytes) {   // the client that a PROXY header in front names
  const auto header = inspect::parse_proxy_header(client_bytes);
  if (header.answer != inspect::ProxyAnswer::match || header.local) return;
  if (header.family != inspect::ProxyFamily::inet && header.family != inspect::ProxyFamily::inet6) return;
  const Endpoint source{.kind = Endpoint::Kind::ip, .port = header.source_port, .ip = header.source, .host = {}};
  story_of(flow).details.emplace_back("proxied_client", to_string(source));
}

void show(Flow& flow, bool client, Bytes bytes, const JudgeOptions& options) {
  if (!options.evidence) return;
  const auto shown = bytes.first(std::min(bytes.size(), evidence_bytes_max));
  story_of(flow).evidence.assign(shown.begin(), shown.end());
  story_of(flow).evidence_of_client = client;
}

// FTP, SMTP and others share QUIT, NOOP, AUTH and more with Redis: what the server says tells them apart (inspect/flow.hpp).
bool is_inline_command(const inspect::Verdict& verdict) {
  return verdict.answer == Answer::match && verdict.rule == static_cast<std::uint16_t>(inspect::Rule::redis_inline);
}

bool opens(Protocol protocol) { return protocol == Protocol::mysql; }   // the server's first bytes are what decides

}  // namespace

void Opening::start(const Flow& flow, unsigned side, const Segment& segment) {
  auto& bytes = halves_[side].bytes;
  if (bytes.started()) return;
  const bool contested = (flow.initial_known >> (side + 2) & 1) != 0;
  if ((flow.initial_known >> side & 1) && !contested) return bytes.start(flow.initial[side] + 1);
  const bool probe = !contested && segment.length == 1 && !segment.has(TcpFlags::psh) && !segment.has(TcpFlags::syn);
  if (!probe) bytes.start(segment.sequence + (segment.has(TcpFlags::syn) ? 1 : 0));
}

bool Opening::take(Flow& flow, unsigned side, const Segment& segment, const JudgeOptions& options) {
  start(flow, side, segment);
  auto& half = halves_[side];
  if (!half.bytes.started()) return false;
  const auto sequence = segment.sequence + (segment.has(TcpFlags::syn) ? 1 : 0);
  const auto bytes = half.bytes.add(sequence, segment.payload);
  if (bytes.empty()) return false;
  half.spoke = true;
  if (flow.decided) {
    const bool done = tell(flow, side, bytes);
    if (!done) half.bytes.keep();
    return done;
  }
  if (half.verdict.answer == Answer::more) judge(flow, side, bytes);
  const bool done = decide(flow, side, bytes, options);
  if (!done) half.bytes.keep();
  return done;
}

void Opening::judge(Flow& flow, unsigned side, Bytes bytes) {
  auto& half = halves_[side];
  if (flow.client == static_cast<std::uint8_t>(Side::none)) return find_roles(flow, side, bytes);
  judge_as(half, bytes, flow.client == side ? Speaker::client : Speaker::server);
}

void Opening::judge_as(Half& half, Bytes bytes, Speaker from) {
  half.header = 0;
  if (from == Speaker::client) {
    const auto header = inspect::parse_proxy_header(bytes);
    if (header.answer == inspect::ProxyAnswer::more) {
      half.verdict = {Answer::more, Protocol::unknown, 0, header.need_bytes, 0};
      return;
    }
    if (header.answer == inspect::ProxyAnswer::match) half.header = header.bytes;
  }
  half.verdict = inspect::detect(bytes.subspan(half.header), from);
  if (half.verdict.answer == Answer::more && bytes.size() >= opening_bytes_max) half.verdict.answer = Answer::unknown;
}

// No handshake in view: whichever role makes sense of the bytes is the sender's.
void Opening::find_roles(Flow& flow, unsigned side, Bytes bytes) {
  auto& half = halves_[side];
  judge_as(half, bytes, Speaker::client);
  const auto as_client = half.verdict;
  if (as_client.answer == Answer::match) return void(flow.client = static_cast<std::uint8_t>(side));
  const auto as_server = inspect::detect(bytes, Speaker::server);
  if (as_server.answer == Answer::match) {
    half.verdict = as_server;
    half.header = 0;
    flow.client = static_cast<std::uint8_t>(side ^ 1u);
  } else if (as_server.answer == Answer::more) {
    half.verdict.answer = Answer::more;
  }
}

bool Opening::decide(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options) {
  auto& half = halves_[side];
  const auto& other = halves_[side ^ 1u];
  const bool is_server = flow.client == (side ^ 1u);
  const unsigned client = flow.client_side();
  if (flow.client == client && is_inline_command(halves_[client].verdict)) return hear_both(flow, side, bytes, options);
  if (half.verdict.answer == Answer::match && (!is_server || opens(half.verdict.protocol))) {
    claim(flow, side, bytes, options);
    return !options.details || tell(flow, side, bytes);
  }
  if (half.verdict.answer == Answer::unknown && other.verdict.answer == Answer::unknown) {
    give_up(flow, side, bytes, options);
    return true;
  }
  return false;
}

// Precondition: the client's verdict is an inline command, which only the server's first bytes can confirm or refute.
bool Opening::hear_both(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options) {
  const unsigned client = flow.client_side();
  auto& asked = halves_[client];
  auto& answered = halves_[client ^ 1u];
  if (!answered.spoke) return false;
  const auto from_client = side == client ? bytes : asked.bytes.stored();
  const auto from_server = side == client ? answered.bytes.stored() : bytes;
  asked.verdict = inspect::judge_flow(from_client.subspan(asked.header), from_server).verdict;
  if (asked.verdict.answer == Answer::match) {
    claim(flow, client, from_client, options);
    return !options.details || tell(flow, client, from_client);
  }
  give_up(flow, client, from_client, options);
  return true;
}

void Opening::claim(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options) {
  const auto& half = halves_[side];
  flow.decided = true;
  flow.protocol = half.verdict.protocol;
  flow.rule = half.verdict.rule;
  flow.decided_at_byte = half.header + half.verdict.decided_at_byte;
  show(flow, flow.client == side, bytes, options);
  if (options.details && halves_[flow.client_side()].header > 0) note_proxied(flow, flow.client == side ? bytes : halves_[flow.client_side()].bytes.stored());
}

void Opening::give_up(Flow& flow, unsigned side, Bytes bytes, const JudgeOptions& options) {
  flow.decided = true;
  flow.rule = halves_[side].verdict.rule;
  flow.decided_at_byte = halves_[side].header + halves_[side].verdict.decided_at_byte;
  show(flow, flow.client == side, bytes, options);
}

// Reads details after the decision; true when no more can come.
bool Opening::tell(Flow& flow, unsigned side, Bytes bytes) {
  const bool is_client = flow.client == side;
  auto& half = halves_[side];
  if (flow.protocol == Protocol::unknown || (!is_client && !opens(flow.protocol))) return false;
  const auto details = inspect::read_details(flow.protocol, bytes.subspan(std::min<std::size_t>(half.header, bytes.size())),
                                             is_client ? Speaker::client : Speaker::server);
  note(flow, details);
  return is_client && (details.complete || bytes.size() >= opening_bytes_max);
}

void Opening::settle(Flow& flow, const JudgeOptions& options) {
  if (flow.decided) return;
  for (unsigned side : {0u, 1u}) {
    const auto& half = halves_[side];
    const auto& other = halves_[side ^ 1u];
    const bool server_alone = half.verdict.answer == Answer::match && (!other.spoke || !flow.start_seen);
    if (server_alone) return claim(flow, side, half.bytes.stored(), options);
  }
  const unsigned told = halves_[flow.client_side()].spoke ? flow.client_side() : flow.client_side() ^ 1u;
  give_up(flow, told, halves_[told].bytes.stored(), options);
}

}  // namespace nlb::capture
