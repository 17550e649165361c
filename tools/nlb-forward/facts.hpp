// The copy of the bus's facts that routing goes by: module records, splits and drains. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "libnlb/bus/subscriber_state.hpp"
#include "libnlb/registry/module.hpp"
#include "libnlb/relay/forwarder.hpp"

namespace nlb::forward {

struct KnownSplit {
  route::Split split;
  relay::Remote ends;            // only version_ends is used
  std::uint64_t epoch = 0;       // the deployer's
  std::vector<std::string> ejected;   // modules that get no new sessions while this split is in force
  std::string refused;           // why the newest word was not taken; empty: it was
};

class Facts {
 public:
  // Which forwarder this is: a group's split has weights per site, and a forwarder belongs to the site that its name begins with.
  void set_name(std::string name) { name_ = std::move(name); }
  // True when routing changes. What can't be read is refused and said in `problem`; the last good word stays.
  bool apply(const bus::Change& change, std::string& problem);
  relay::Remote remote() const;
  const std::map<std::string, KnownSplit>& splits() const { return splits_; }
  std::size_t modules() const { return modules_.size(); }
  const registry::Module* module(const std::string& topic) const;      // null: not known
  const std::set<std::string>& quarantined() const { return quarantined_; }   // topics of modules that their registry forgot

 private:
  bool apply_module(const bus::Change& change, std::string& problem);
  bool apply_split(const bus::Change& change, std::string& problem);
  bool apply_drains(const bus::Change& change, std::string& problem);

  std::string name_;
  std::map<std::string, registry::Module> modules_;   // by topic
  std::set<std::string> quarantined_;
  std::map<std::string, KnownSplit> splits_;          // by service
  std::map<std::string, std::set<std::string>> drains_;   // names by service: drained by the scaler, whatever the registry knows of it
};

}  // namespace nlb::forward
