#include "libnlb/manager/url.hpp"

namespace nlb::manager {

namespace {

bool names_port(std::string_view authority) { return authority.find(':', authority.rfind(']') == authority.npos ? 0 : authority.rfind(']')) != authority.npos; }

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorKind::config, "manager.url " + std::string(text) + ": " + std::string(why) + ": write https://manager.example:8443/path");
  };
  Url url;
  auto rest = text;
  if (rest.starts_with("https://")) url.tls = true, rest.remove_prefix(8);
  else if (rest.starts_with("http://")) rest.remove_prefix(7);
  else return wrong("it starts with neither http:// nor https://");
  if (rest.find_first_of("?#@ ") != rest.npos) return wrong("a user, query, fragment or space has no place here");
  const auto slash = std::min(rest.find('/'), rest.size());
  auto authority = std::string(rest.substr(0, slash));
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  if (!names_port(authority)) authority += url.tls ? ":443" : ":80";
  auto address = parse_endpoint(authority);
  if (!address || address->kind == Endpoint::Kind::unix_path || (address->kind == Endpoint::Kind::name && address->host.empty()) || authority.front() == ':')
    return wrong("there is no host in it");
  url.address = std::move(*address);
  return url;
}

}  // namespace nlb::manager
