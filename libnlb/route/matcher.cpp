#include "libnlb/route/matcher.hpp"

#include <algorithm>

namespace nlb::route {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(text.begin(), text.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

bool equal_ignoring_case(std::string_view in_lower_case, std::string_view name) {
  return std::equal(in_lower_case.begin(), in_lower_case.end(), name.begin(), name.end(), [](char a, char b) { return a == lower(b); });
}

// Which details a protocol's first bytes can carry: a rule that asks for another one never matches.
bool can_carry(Protocol p, const RouteRule& r) {
  if ((r.sni || r.alpn) && p != Protocol::tls) return false;
  if (r.http_host && p != Protocol::http) return false;
  return !(r.postgres_database || r.postgres_user) || p == Protocol::postgresql;
}

bool asks_details(const RouteRule& r) { return r.sni || r.alpn || r.http_host || r.postgres_database || r.postgres_user; }

}  // namespace

bool name_matches(std::string_view pattern, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);   // a fully qualified name
  if (!pattern.starts_with("*.")) return equal_ignoring_case(pattern, name);
  pattern.remove_prefix(1);
  return name.size() > pattern.size() && equal_ignoring_case(pattern, name.substr(name.size() - pattern.size()));
}

std::string_view host_without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host;
  return host.substr(0, colon);
}

Matcher::Matcher(const std::vector<RouteRule>& rules, const std::vector<std::string>& listeners,
                 const std::function<std::uint32_t(const std::string&)>& index_of) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const RouteRule& r = rules[i];
    Compiled c;
    c.rule = static_cast<std::int32_t>(i);
    c.service = index_of(r.service);
    if (r.listener) {
      const auto at = std::find(listeners.begin(), listeners.end(), *r.listener);
      if (at == listeners.end()) continue;   // no session comes from there
      c.listener = static_cast<std::int32_t>(at - listeners.begin());
    }
    c.sni = lower(r.sni.value_or("")), c.alpn = r.alpn.value_or(""), c.http_host = lower(r.http_host.value_or(""));
    c.database = r.postgres_database.value_or(""), c.user = r.postgres_user.value_or("");
    c.source = r.source;
    for (std::size_t p = 0; p < protocol_count; ++p) {
      const auto protocol = static_cast<Protocol>(p);
      if ((r.protocol && *r.protocol != protocol) || !can_carry(protocol, r)) continue;
      lists_[p].push_back(c);
      wants_details_[p] = wants_details_[p] || asks_details(r);
    }
    if (r.protocol == Protocol::http && !r.http_host && can_carry(Protocol::tls, r)) {
      as_http_.push_back(c);   // `protocol: http` with an SNI: that session is https
      auto& wants = wants_details_[static_cast<std::size_t>(Protocol::tls)];
      wants = wants || asks_details(r);
    }
  }
}

Matcher::Fit Matcher::fits(const Compiled& rule, const RouteQuestion& q) {
  if (rule.listener >= 0 && rule.listener != q.listener) return Fit::no;
  if (!rule.source.empty() && std::none_of(rule.source.begin(), rule.source.end(), [&](const Network& n) { return n.contains(q.client); }))
    return Fit::no;
  Fit result = Fit::yes;
  const auto need = [&](std::string_view wanted, std::string_view seen, auto matches) {
    if (wanted.empty() || result == Fit::no) return;
    if (seen.empty()) result = q.details_complete ? Fit::no : Fit::unknown;
    else if (!matches(wanted, seen)) result = Fit::no;
  };
  const auto same = [](std::string_view wanted, std::string_view seen) { return wanted == seen; };
  need(rule.sni, q.sni, name_matches);
  need(rule.alpn, q.alpn, same);
  need(rule.http_host, host_without_port(q.http_host), name_matches);
  need(rule.database, q.database, same);
  need(rule.user, q.user, same);
  return result;
}

RouteAnswer Matcher::ask_list(const std::vector<Compiled>& list, const RouteQuestion& question) {
  for (const Compiled& rule : list) switch (fits(rule, question)) {
      case Fit::yes: return {RouteAnswer::Kind::service, rule.service, rule.rule};
      case Fit::unknown: return {RouteAnswer::Kind::need_details, 0, rule.rule};
      case Fit::no: break;
    }
  return {};
}

RouteAnswer Matcher::ask(Protocol protocol, const RouteQuestion& question) const {
  return ask_list(lists_[static_cast<std::size_t>(protocol)], question);
}

}  // namespace nlb::route
