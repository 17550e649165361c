// What only the whole configuration shows: names and addresses used twice, references to nothing, routes that can never match.
// A service that a route, fallback or limit names must be known: served by a module of the file, listed under `services`, or called
// like a protocol. A configuration with a `registry` or `bus` section may get modules later, so there only a near miss is a problem.
#pragma once

#include <string>

#include "libnlb/config/document.hpp"

namespace nlb::config {

void check_whole(const Config& config, const Node& root, std::vector<Problem>& problems);

// The value at a path such as "limits[2].name", or the nearest thing above it that exists.
const Node& find_path(const Node& root, std::string_view path);

}  // namespace nlb::config
