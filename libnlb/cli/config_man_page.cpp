// nlb.yaml(5): the keys table with a frame of prose around it.
#include "libnlb/cli/documents.hpp"
#include "libnlb/cli/roff.hpp"
#include "libnlb/config/values.hpp"

namespace nlb::cli {
namespace {

constexpr const char* description = R"(One YAML file serves all nlb tools; each reads the sections it needs. Every key has a default, so the smallest useful file names a listener and the modules behind it:

  listen:
    - address: 127.0.0.1:8080
      silent: {after: 50ms, protocol: mysql}
  modules:
    - {name: web-1, protocol: http, address: 127.0.0.1:9001}
    - {name: cache-1, protocol: redis, address: 127.0.0.1:6379}

An unknown key is an error, and so is a value out of its limits: all problems are told at once, each as file:line:column: what is wrong: what to do. The option --check-config does only that; --print-config shows every value in force and where it came from. Durations and sizes have units: 50ms, 2s, 1h30m; 4096, 64KiB (powers of 1024), 100M (powers of 1000). A null value means the default.

In texts that name files and endpoints, ${runtime} stands for the runtime directory ($NLB_RUNTIME_DIR, else $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/nlb, else /run/nlb for root and /tmp/nlb-UID), ${state} for the state directory ($NLB_STATE_DIR, else $STATE_DIRECTORY, else $XDG_STATE_HOME/nlb, else /var/lib/nlb for root and ~/.local/state/nlb), and {tool} for the tool's name without nlb-.

The file may have up to 4 MiB, 32 levels, and 200,000 values with all aliases expanded.)";

constexpr const char* overrides = R"(A flag wins over the environment, that over the file, that over the default. A variable is NLB_ and the path in capitals with __ between the words; --set takes the path itself:

  NLB_ADMIN__ADDRESS=127.0.0.1:9000
  NLB_MODULES__0__WEIGHT=50
  NLB_LIMITS__PER_CLIENT__RATE=500
  --set limits.per-client.rate=500

In a list a number is an index (the next free one appends) and a word picks the element of that name, where case counts for nothing and _ stands for - too. A protocol's name that is no limit's name makes a limit for that protocol, so NLB_LIMITS__HTTP__RATE=500 works without a file. A value may be YAML ([a, b] or {a: 1}); lists of texts and addresses may be given with commas.)";

constexpr const char* services = R"(A service is a named set of modules that speak one protocol. A module that names no service belongs to the service called like its protocol, so simple configurations need no routes. A route, fallback or limit that names a service which no module of the file serves is a problem, unless the service is listed under services, or a registry or bus section is there: then modules may still come, and only a near miss of a known name is a problem.

MySQL servers speak first, so silence is what a MySQL client shows. Two services of that kind on one listener need different source networks.)";

constexpr const char* bus = R"(A daemon follows the owners that bus.subscribe names, and those that the registry's directory lists and that write what the daemon reads: owners say hello to the registry that they follow, so one address is enough. What is known of an owner stays whatever happens to it; /status and the metrics say how old it is.

Several owners may write one class of topics, two registries for instance, each with modules of its own. A module, or a forwarder, that two of them name is the first one's in the order of bus.subscribe; an entry that its owner no longer names, after it came back with less than half of what it knew, gives way. Of two controllers that name one service the one that was started or elected last is right. Daemons that share a store are one owner, whichever of them leads. What is contested is listed in /status.

Over tcp both ends need keys, which nlb-registry keygen makes. NAME.key is for bus.curve.secret_key_file; NAME.pub goes into the allowed_keys_dir of the owners that NAME is to read, and its line role (forward, registry, deploy, scale, all), or lines topics with a class each, say what it may read there. Who may say hello as an owner is the role's matter, too. To change an owner's pair, put the next public key into its readers' server_key_file as a second line, send them HUP, put the next pair into the owner's secret_key_file, send it HUP, and take the old line out.)";

std::string limits_text(const config::Key& key) {
  if (!key.choices.empty()) {
    std::string words;
    for (const auto name : key.choices) words += (words.empty() ? "" : ", ") + std::string(name);
    return words;
  }
  auto text = std::string(config::type_name(key.type));
  if (key.most > 0) text += ", " + config::limit_text(key, key.least) + " to " + config::limit_text(key, key.most);
  return text;
}

std::string default_text(const config::Key& key) {
  if (key.required) return "required";
  return key.fallback.empty() ? "no default" : "default " + std::string(key.fallback);
}

std::string key_entry(const config::Key& key) {
  const auto tag = roff::bold(key.path) + " (" + roff::escape(limits_text(key)) + "; " + roff::escape(default_text(key)) + ")";
  return roff::term(tag, key.effect);
}

std::string section_entry(const config::Section& section) {
  auto out = roff::subheading(section.name) + roff::escape(section.effect) + " Read by: " + roff::escape(section.readers) + ".\n";
  for (const auto& key : config::keys())
    if (key.path.substr(0, key.path.find_first_of(".[")) == section.name) out += key_entry(key);
  return out;
}

}  // namespace

std::string config_man_page() {
  auto out = roff::title("NLB.YAML", 5) + roff::heading("NAME") + "nlb.yaml \\- configuration of all nlb tools\n" + roff::heading("DESCRIPTION") + roff::prose(description);
  out += roff::heading("KEYS") + roff::prose("[] stands for the elements of a list, * for names that you choose.");
  for (const auto& section : config::sections()) out += section_entry(section);
  out += roff::heading("ENVIRONMENT AND FLAGS") + roff::prose(overrides) + roff::heading("SERVICES AND ROUTES") + roff::prose(services);
  out += roff::heading("THE BUS") + roff::prose(bus);
  out += roff::heading("FILES") + roff::term(roff::bold("$XDG_CONFIG_HOME/nlb/nlb.yaml, /etc/nlb/nlb.yaml"), "Read in this order when neither --config nor $NLB_CONFIG names a file.");
  return out + roff::heading("SEE ALSO") + ".BR nlb\\-forward (1) ,\n.BR nlb\\-inspect (1) ,\n.BR nlb\\-registry (1) ,\n.BR nlb\\-deploy (1) ,\n.BR nlb\\-scale (1) ,\n.BR nlb (7)\n";
}

}  // namespace nlb::cli
