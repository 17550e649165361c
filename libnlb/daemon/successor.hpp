// How this process was started, so that its successor (the same program, perhaps a newer version of it) can be started the same way.
#pragma once

#include <string>
#include <vector>

#include "libnlb/daemon/channel.hpp"

namespace nlb::daemon {

class OwnCommand {
 public:
  static OwnCommand read();   // early: before the working directory changes

  // Starts the program anew, from the path it was started by, with --takeover-fd and a channel to us. It is no child of ours: the service
  // manager adopts it, as it would find it when we have ended. `environment`: NAME=VALUE beside our own. Errors: refused (process 1 of a
  // container, whose end is the container's end), unavailable (fork). A program that can't be run ends the conversation.
  Result<Channel> start_successor(const std::vector<std::string>& environment) const;

  // The arguments without those that belong to one life only: --daemon, --ready-fd, --takeover and --takeover-fd.
  static std::vector<std::string> lasting(const std::vector<std::string>& arguments);

 private:
  std::vector<std::string> arguments_;
  std::string program_;   // absolute; symbolic links in it are followed anew by each successor
};

}  // namespace nlb::daemon
