#include <catch2/catch.hpp>

#include "libnlb/config/expand.hpp"
#include "libnlb/config/load.hpp"
#include "libnlb/config/values.hpp"

using namespace nlb;
using namespace nlb::config;

TEST_CASE("values are quoted exactly where YAML would read them as something else") {
  for (const auto* plain : {"web", "10.0.0.1:80", "a/b", "v1.2-rc+1", "100MiB", "größe"}) CHECK(quote_yaml(plain) == plain);
  for (const auto* text : {"", "true", "null", "*.x", "a: b", "a#b", "- x", "[::]:1", "x:", "%a", "a\nb", "\"", "${runtime}"}) {
    const auto quoted = quote_yaml(text);
    CHECK(quoted.front() == '"');
    if (std::string_view(text).empty()) continue;
    const auto loaded = load("modules: [{name: m, protocol: http, address: 'h:1', zone: " + quoted + "}]");
    CHECK(loaded.config.modules.at(0).zone == text);
  }
}

TEST_CASE("places are put in wherever a text may name one") {
  auto config = load("registry: {grpc: 'unix:${runtime}/r.sock'}\nlog: {access: {file: '${state}/access.log'}}\n").config;
  config = expand(std::move(config), {"/run/x", "/var/x", "scale"});
  CHECK(config.registry.grpc.host == "/run/x/r.sock");
  CHECK(config.log.access.file == "/var/x/access.log");
  CHECK(config.bus.publish == "ipc:///run/x/scale.bus");
  CHECK(config.store.sqlite == "/var/x/scale.db");
  CHECK(expand("{port} ${runtime}", {"a", "b", "c"}) == "{port} a");
}
