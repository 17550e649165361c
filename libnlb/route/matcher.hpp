// Route rules made ready to be asked: one short list per protocol, three-valued answers (matches, can't, not known
// yet).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::route {

// "*.suffix" matches any name below suffix (not suffix itself), letter case ignored; anything else matches as a whole.
bool name_matches(std::string_view pattern_in_lower_case, std::string_view name);
std::string_view host_without_port(std::string_view host);   // "a:80" -> "a", "[::1]:80" -> "[::1]"

class Matcher {
 public:
  // `index_of`: a service's name to its index; every rule's service must have one.
  Matcher() = default;
  Matcher(const std::vector<RouteRule>& rules, const std::vector<std::string>& listeners,
          const std::function<std::uint32_t(const std::string&)>& index_of);

  // The first rule that matches; need_details when an earlier one still could; no_route when none does.
  RouteAnswer ask(Protocol protocol, const RouteQuestion& question) const;
  // Only the rules that TLS shares with http (`protocol: http` without conditions on what can't be seen in TLS).
  RouteAnswer ask_as_http(const RouteQuestion& question) const { return ask_list(as_http_, question); }
  bool wants_details(Protocol protocol) const { return wants_details_[static_cast<std::size_t>(protocol)]; }
  bool empty(Protocol protocol) const { return lists_[static_cast<std::size_t>(protocol)].empty(); }

 private:
  struct Compiled {
    std::int32_t rule = 0;
    std::uint32_t service = 0;
    std::int32_t listener = -1;        // -1: any
    std::string sni, alpn, http_host, database, user;   // empty: any
    std::vector<Network> source;
  };
  enum class Fit : std::uint8_t { yes, no, unknown };
  static Fit fits(const Compiled& rule, const RouteQuestion& question);
  static RouteAnswer ask_list(const std::vector<Compiled>& list, const RouteQuestion& question);

  std::array<std::vector<Compiled>, protocol_count> lists_;
  std::vector<Compiled> as_http_;
  std::array<bool, protocol_count> wants_details_{};
};

}  // namespace nlb::route
