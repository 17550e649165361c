// One scalar of nlb.yaml: text to a typed value within its key's limits, and back. An error says why and what to do
// ("'70000' is above 65535: write a number from 0 to 65535"); the caller puts the key in front.
#pragma once

#include <string>
#include <string_view>

#include "libnlb/config/keys.hpp"

namespace nlb::config {

// Of bool, double, std::uint32_t, std::uint64_t, Duration, Endpoint, Network, std::string; enums go through parse_choice.
template <class T> Result<T> parse_value(std::string_view text, const Key& key) = delete;
template <> Result<bool> parse_value<bool>(std::string_view text, const Key& key);
template <> Result<double> parse_value<double>(std::string_view text, const Key& key);
template <> Result<std::uint32_t> parse_value<std::uint32_t>(std::string_view text, const Key& key);
template <> Result<std::uint64_t> parse_value<std::uint64_t>(std::string_view text, const Key& key);
template <> Result<Duration> parse_value<Duration>(std::string_view text, const Key& key);
template <> Result<Endpoint> parse_value<Endpoint>(std::string_view text, const Key& key);
template <> Result<Network> parse_value<Network>(std::string_view text, const Key& key);
template <> Result<std::string> parse_value<std::string>(std::string_view text, const Key& key);

Result<std::size_t> parse_choice(std::string_view text, const Key& key);   // the index in key.choices

// The same values as text that parse_value reads back.
std::string print_value(bool value, const Key& key);
std::string print_value(double value, const Key& key);
std::string print_value(std::uint64_t value, const Key& key);
std::string print_value(std::uint32_t value, const Key& key);
std::string print_value(Duration value, const Key& key);
std::string print_value(const Endpoint& value, const Key& key);
std::string print_value(const Network& value, const Key& key);
std::string print_value(const std::string& value, const Key& key);

std::string quote_yaml(std::string_view text);   // as it must stand in YAML: in quotes only where needed
std::string limit_text(const Key& key, double limit);   // in the key's unit: "10s", "65535"

}  // namespace nlb::config
