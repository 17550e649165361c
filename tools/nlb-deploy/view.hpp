// A service's state as people and scripts see it: a tree for a terminal, a line for a log, an object for a pipe. Pure.
#pragma once

#include <string>

#include "libnlb/cli/ndjson.hpp"
#include "nlb/v1/deploy.pb.h"

namespace nlb::deploy {

std::string draw(const v1::DeployStatus& status, std::size_t width, bool color);   // several lines, each ends in a newline
std::string one_line(const v1::DeployStatus& status);                              // without the newline; the same text: nothing new
cli::Json to_json(const v1::DeployStatus& status);

}  // namespace nlb::deploy
