#include <algorithm>

#include "libnlb/config/sections.hpp"

namespace nlb::config {
namespace {

void read_detect(Reader in, Detect& out) {
  in.read("timeout", out.timeout);
  in.read("max_bytes", out.bytes_max);
  in.read("unfinished_max", out.unfinished_max);
}

void read_proxy_protocol(Reader in, ProxyProtocolIn& out) {
  in.read("accept", out.accept);
  in.read("from", out.from);
  if (out.accept && out.from.empty())
    in.problem("from", "nobody may send a PROXY header: accept is true without trusted peers: list their networks, such as [10.0.0.0/8]");
}

void read_silent(Reader in, Silent& out) {
  in.read("after", out.after);
  in.read("adaptive", out.adaptive);
  in.read("protocol", out.protocol);
  in.read("close", out.close);
  const bool says_what = in.written("protocol") || in.written("close");
  if (out.protocol && *out.protocol != Protocol::mysql)
    in.problem("protocol", std::string(to_string(*out.protocol)) + " clients speak first, so silence can't mean them: only mysql servers speak first: write mysql or remove it");
  if (out.protocol && out.close) in.problem("close", "silent clients are closed and passed on: only one can hold: remove 'close' or 'protocol'");
  if ((in.has("after") || in.has("adaptive")) && !says_what)
    in.problem("after", "silence has no meaning here: add 'protocol: mysql' to pass silent clients on, or 'close: true'");
}

void read_listener(Reader in, Listener& out) {
  in.read("name", out.name);
  in.read("address", out.addresses);
  in.read("protocol", out.protocol);
  read_proxy_protocol(in.at("proxy_protocol"), out.proxy_protocol);
  read_detect(in.at("detect"), out.detect);
  out.silent.after = std::min(out.silent.after, out.detect.timeout);
  read_silent(in.at("silent"), out.silent);
  in.read("sessions_max", out.sessions_max);
  in.read("backlog", out.backlog);
  if (out.name.empty() && !out.addresses.empty()) out.name = to_string(out.addresses.front());
  if (in.has("address") && out.addresses.empty()) in.problem("address", "no usable address: a listener needs at least one: write host:port");
  if (out.protocol && (out.silent.protocol || out.silent.close))
    in.problem("silent", "never asked: this listener is fixed to " + std::string(to_string(*out.protocol)) + ": remove 'silent' or 'protocol'");
  if (out.silent.protocol && out.silent.after > out.detect.timeout)
    in.at("silent").problem("after", format_duration(out.silent.after) + " is longer than detect.timeout (" + format_duration(out.detect.timeout) + "), so silent clients are closed first: shorten it");
}

void read_module(Reader in, Module& out) {
  in.read("name", out.name);
  in.read("protocol", out.protocol);
  in.read("service", out.service);
  in.read("address", out.address);
  in.read("control", out.control);
  in.read("version", out.version);
  in.read("colour", out.colour);
  in.read("weight", out.weight);
  in.read("zone", out.zone);
  in.read("priority", out.priority);
  in.read("backup", out.backup);
  in.read("max_connections", out.max_connections);
  in.read("send_proxy", out.send_proxy);
  in.read("labels", out.labels);
  in.read("check", out.check);
  if (out.service.empty()) out.service = to_string(out.protocol);
  const bool given = out.address != Endpoint{};   // a wrong address has its problem already
  if (given && out.address.kind != Endpoint::Kind::unix_path && out.address.port == 0) in.problem("address", "port 0 can't be connected to: name the port of the module");
  if (out.check == CheckKind::grpc && !out.control && !in.has("control"))
    in.problem("check", "grpc asks the module's own gRPC server, and nothing says where that is: add 'control: host:port', or check by tcp or protocol");
}

}  // namespace

void read_traffic(Reader in, Config& out) {
  read_detect(in.at("detect"), out.detect);
  in.each("listen", [&](Reader item) {
    Listener listener;
    listener.detect = out.detect;
    read_listener(item, listener);
    out.listen.push_back(std::move(listener));
  });
  in.each("modules", [&](Reader item) { read_module(item, out.modules.emplace_back()); });
}

}  // namespace nlb::config
