// Environment variables and flags laid over the document: NLB_LIMITS__HTTP__RATE=500 and limits.http.rate=500 set the same key.
// In a list a number is an index (the next free one appends) and a word picks the element of that name, where case counts for nothing
// and _ stands for - too. A word that names no limit but a protocol makes a limit of that name for that protocol.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libnlb/config/document.hpp"

namespace nlb::config {

// An NLB_ variable that configures the tools and tests themselves (NLB_CONFIG, NLB_RUNTIME_DIR, NLB_TEST_...) or that Kubernetes
// sets for a service called nlb (NLB_SERVICE_HOST, NLB_PORT_8080_TCP); these aren't keys.
bool is_tool_variable(std::string_view name);

void apply_environment(Document& document, const std::vector<std::pair<std::string, std::string>>& environment);
void apply_flags(Document& document, const std::vector<std::pair<std::string, std::string>>& flags);

}  // namespace nlb::config
