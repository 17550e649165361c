#include "tools/nlb-inspect/manual.hpp"

namespace nlb::inspect_tool {

cli::Manual manual() {
  cli::Manual page;
  page.description =
      "Reads packets from capture files, a pipe or a network interface, follows each TCP flow until its first bytes say which protocol "
      "it speaks (http, tls, mysql, postgresql, mongodb, redis, rtmp), and prints one record per flow when it ends. What speaks none of "
      "them is unknown. Ports play no part unless --ports asks for guesses.\n\n"
      "A record has the keys time (of the first packet), client and server (address:port), protocol, details (SNI, ALPN, HTTP host, "
      "database user and more, as far as the first bytes tell), first_speaker (client, server or none), start_seen (whether the "
      "handshake is in the capture), packets and bytes (TCP payload) each way, decided_at_byte, and rule (null when none matched). With "
      "several files a key file follows.\n\n"
      "A flow whose start was not captured is judged by the first payload in view, and only if that opens a message; start_seen is then "
      "false. Flows don't go on from one file to the next: join the parts of a rotated capture with mergecap(1).\n\n"
      "Formats: pcap in both byte orders, with micro- and nanoseconds and Kuznetsov's longer records; pcapng, also with interfaces of "
      "different link types; snoop. Link types: Ethernet, Linux cooked 1 and 2, raw IP, null and loop, PPP, Cisco HDLC, frame relay, "
      "802.11 with and without radiotap, NFLOG, PPI, PKTAP, IP over InfiniBand, ARCNET. Below them VLAN tags, MPLS, PPPoE, GRE, ERSPAN, "
      "VXLAN, GENEVE, GTP-U, IP in IP, Teredo, L2TP and CAPWAP in any nesting, IPv4 and IPv6 with extension headers and fragments.\n\n"
      "Memory is bounded by open flows, not by the size of the capture: --flows-max limits them, and the flow that was unused for "
      "longest is printed as it stands to make room. With -w the packets of a flow are held until its protocol is known, 1 MiB a flow "
      "and 256 MiB in all; beyond that the earliest are left out and counted on stderr.\n\n"
      "--route adds to each flow where a configuration would have sent it: service and module (null: nowhere), and why. The decision is "
      "nlb-forward's own, with the listener at the flow's server address, or else the first one that detects. tls goes where http goes "
      "unless something else is configured, unknown goes to the fallback, and a client that waits for the server (MySQL) is routed only "
      "where the listener says what silence means. Limits and checks are not applied, modules of the registry are not known, and every "
      "flow finds the modules without sessions: the share that a module would get is not to be read from it.\n\n"
      "nlb-inspect bytes takes bytes instead of packets: what a client (or with --from server, a server) sent first.\n\n"
      "nlb-inspect bus prints what the daemons tell each other, one object a line and flushed at once: topic, class, epoch, seq, owner, age_ms, "
      "gone (the key was withdrawn) and body (the message with the field names of proto/nlb/v1). First comes everything that is known now, then "
      "every change. quarantined marks keys that an owner no longer names after a restart and that are kept until that is believable.";
  page.examples = {
      {"nlb-inspect capture.pcap", "a table of all flows; NDJSON when piped"},
      {"nlb-inspect capture.pcap --summary", "counts per protocol"},
      {"tcpdump -w - | nlb-inspect -p mysql -o ndjson | jq .details.user", "who logs into MySQL, live"},
      {"nlb-inspect big.pcap -p redis -p mongodb -w some.pcap", "the packets of two protocols as a capture"},
      {"nlb-inspect -i eth0 -f 'tcp port 8080' --explain", "which bytes matched which rule on an interface"},
      {"nlb-inspect capture.pcap --route nlb.yaml -o ndjson | jq -r '[.client,.service,.why]|@tsv'", "would this configuration do?"},
      {"printf 'PING\\r\\n' | nlb-inspect bytes", "one answer for raw bytes"},
      {"echo 0000000804d2162f | nlb-inspect bytes --lines", "an answer per line of hexadecimal text"},
      {"nlb-inspect bus splits rollouts | jq -c .body", "follow the running rollouts"},
      {"nlb-inspect bus modules --once", "the modules that the registry knows now"},
  };
  page.signals = {{"INT, TERM", "with -i: the capture ends, and what was seen is printed; a second one ends the program at once"}};
  page.exit_no = "-p was given and no flow passed; bytes recognised nothing; or bus --once found no fact";
  page.security = "Captures are untrusted input: the readers are fuzzed, every table is bounded and the flow table's hash is keyed. Reading files needs no "
                  "privilege; -i needs CAP_NET_RAW.";
  page.bugs = "IP fragments are judged but not written by -w. A plain pcap written by -w has one link type; name the file .pcapng for several. Packets of "
              "a flow may stand behind later ones of other flows in what -w writes, since they were held until their flow was decided.";
  page.see_also = {"tcpdump(8)", "tshark(1)", "mergecap(1)", "pcap-filter(7)"};
  return page;
}

}  // namespace nlb::inspect_tool
