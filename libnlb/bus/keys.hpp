// CURVE keys as files. A pair is <name>.key (0600: public and secret) and <name>.pub (0644: what the other side is given), in Z85
// (ZeroMQ RFC 32). A line is a word and its value:
//
//   public <40 characters>     a file that names an owner's key may have two of them: while the owner changes its pair, readers know both
//   secret <40 characters>     in <name>.key alone
//   role <name>                what the holder may read of an owner that lists it: the topics of that role (codec_topic.hpp), and as what
//                              it may make itself known: "forward", "registry", "deploy", "scale", or "all" (reads everything, owns nothing)
//   topics <class>             instead: these topic classes; any number of lines
//
// A file without role and topics is one of role "all".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"

namespace nlb::bus {

struct KeyPair { std::string public_key, secret_key; };      // Z85

Result<KeyPair> make_keys();
struct Reader {                          // somebody whose key an owner lists
  std::string name;                      // of the file, without .pub
  std::string key;                       // Z85
  std::string role;                      // "all" where the file names none; empty where it has topics
  std::vector<std::string> classes;      // sorted; empty: all
  bool may_read(std::string_view topic_class) const;
  bool operator==(const Reader&) const = default;
};
using Readers = std::map<std::string, Reader, std::less<>>;   // by key

Result<> save_keys(const KeyPair& keys, const std::string& directory, const std::string& name, std::string_view role = "all");   // never overwrites
Result<KeyPair> load_keys(const std::string& path);          // refused when others than the owner may read it
Result<std::vector<std::string>> load_public_keys(const std::string& path);        // one or two
Result<Readers> load_readers(const std::string& directory);                        // from every *.pub

}  // namespace nlb::bus
